using System.Globalization;
using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Experiments.Studies.LanguageModels;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Experiments.Studies.GeneratorTuning;

/// <summary>
/// Tunes a pretrained mixture that writes to name the classes of sentences, and tells how perplexed it is by clean test
/// rows.
/// </summary>
/// <param name="arguments">What the command line asks for.</param>
/// <param name="folder">The data.</param>
/// <param name="dataSets">Names of the data sets.</param>
internal sealed class TunedGenerator(Arguments arguments, DataFolder folder, IReadOnlyList<string> dataSets)
{
    private const int DefaultSteps = 300;
    private const int BatchSize = 16;
    private const int Evaluations = 10;
    private const int TestRows = 400;
    private const float LearningRate = 5e-4f;
    private readonly Lazy<string?> _modelName = new(() => ModelFolder.NameOf(arguments.Model));

    /// <summary>Steps of a tuning.</summary>
    public int Steps => arguments.Steps ?? DefaultSteps;

    /// <summary>The steps after which the test rows are measured, the start among them.</summary>
    public IReadOnlyList<int> MeasuredSteps =>
        [0, .. Enumerable.Range(1, Steps).Where(step => step % StepsBetween == 0 || step == Steps)];

    /// <summary>Data sets.</summary>
    public IReadOnlyList<string> DataSets => dataSets;

    /// <summary>What else a result depends on.</summary>
    public string Settings => string.Create(
        CultureInfo.InvariantCulture, $"{_modelName.Value}, {Steps} steps, {ModelFolder.RowsOf(arguments)}");

    /// <summary>What the runs have in common, in words.</summary>
    public string Description => string.Create(
        CultureInfo.InvariantCulture,
        $"A pretrained mixture (`{_modelName.Value}`) learns to write the name of a sentence's class behind the sentence; only the name's tokens "
        + $"and the end are learned and measured. {Steps} steps of {BatchSize} rows, AdamW, learning rate {LearningRate} falling to 0 in a "
        + $"line; up to {TestRows} test rows, evenly spread, always clean. No choice was made by these results.");

    private int StepsBetween => Math.Max(1, Steps / Evaluations);

    /// <summary>Name of the perplexity after some steps in the log.</summary>
    public static string PerplexityAfter(int step) => string.Create(CultureInfo.InvariantCulture, $"perplexity after {step}");

    /// <summary>The start model.</summary>
    /// <param name="engine">Where it shall live.</param>
    /// <exception cref="UserException">No folder is given, or the model has no experts.</exception>
    public (TextGenerator Generator, Model<EncodedText> Model) Load(Engine engine)
    {
        var path = arguments.Model
            ?? throw new UserException("--model is missing: the folder of a pretrained mixture, such as the study pretrain-causal makes.");
        var (generator, model) = TextGenerator.Load(engine, path, WeightPrecision.Float32, path);
        return model.Experts > 0
            ? (generator, model)
            : throw new UserException($"The model in '{path}' has no experts to route tokens to.");
    }

    /// <summary>The test rows of a data set, clean.</summary>
    public Example<EncodedText>[] Test(TextGenerator generator, string data) =>
        TuningRows.Encode(generator, TuningRows.Test(folder.Load(data), TestRows));

    /// <summary>Share of the test rows whose class is written right.</summary>
    public double Accuracy(TextGenerator generator, Model<EncodedText> model, string data, CancellationToken stop)
    {
        var rows = TuningRows.Test(folder.Load(data), TestRows);
        return WrittenClasses.Accuracy(generator, model, [.. rows.Select(row => TuningRows.Prompt(generator, row))], rows, stop);
    }

    /// <summary>Tunes a model. Its weights are those after the last step.</summary>
    /// <param name="generator">Tokenizer and defaults.</param>
    /// <param name="model">The model; its weights change.</param>
    /// <param name="data">The data set.</param>
    /// <param name="corruption">What is done to the training rows.</param>
    /// <param name="workspace">Which tokens are broadcast, the routers frozen; null for none, and routers that learn.</param>
    /// <param name="seed">Seed of rows and training.</param>
    /// <param name="stop">Ends it.</param>
    /// <returns>Perplexities of the clean test rows by step.</returns>
    public Dictionary<string, double> Tune(
        TextGenerator generator,
        Model<EncodedText> model,
        string data,
        RowCorruption corruption,
        (GlobalWorkspaceSettings? Workspace, bool FreezesRouter) workspace,
        int seed,
        CancellationToken stop)
    {
        var test = Test(generator, data);
        var rows = TuningRows.Training(generator, folder.Load(data), corruption, Steps * BatchSize, seed);
        var config = new GeneratorTrainingConfig
        {
            Training = new TrainingConfig
            {
                MaxEpochs = 1,
                BatchSize = BatchSize,
                LearningRate = LearningRate,
                Decay = LearningRateDecay.Linear,
                WarmupShare = 0f,
                LabelSmoothing = 0f,
                WeightDecay = 0f,
                FreezeRouter = workspace.FreezesRouter,
                GlobalWorkspace = workspace.Workspace,
                ValidationShare = 0f,
                Seed = seed,
            },
        };
        var values = new Dictionary<string, double> { [PerplexityAfter(0)] = Math.Exp(model.Measure(test).Loss) };
        // measured besides: evaluated rows would choose the step whose weights are kept
        var observer = new Observer(MeasuredSteps, step => values[PerplexityAfter(step)] = Math.Exp(model.Measure(test).Loss));
        new GeneratorTrainer(config, model).Train(rows, [], observer, stop);
        stop.ThrowIfCancellationRequested();
        return values;
    }

    private sealed class Observer(IReadOnlyList<int> steps, Action<int> measure) : ITrainingObserver
    {
        public void OnStep(int epoch, int step, int stepsOfEpoch, double loss)
        {
            if (steps.Contains(step))
                measure(step);
        }

        public void OnEpoch(EpochReport report)
        {
        }
    }
}
