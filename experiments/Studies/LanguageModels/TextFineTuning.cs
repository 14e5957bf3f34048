using System.Globalization;
using Microsoft.ML.Moe.Experiments.Data;
using Microsoft.ML.Moe.Experiments.Runs;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Experiments.Studies.LanguageModels;

/// <summary>
/// Fine-tunes the pretrained encoder–decoder to write classes as text, with or without a global workspace, and compares what it writes with the
/// right text; without a workspace, also with experts drawn at random for uncertain or for arbitrary tokens.
/// </summary>
internal sealed class TextFineTuning(Arguments arguments, DataFolder folder)
{
    /// <summary>Share of the test rows whose class is written right, letter by letter.</summary>
    public const string Accuracy = "accuracy";

    /// <summary>Share of the test rows' tokens whose entropy reaches the paper's threshold.</summary>
    public const string UncertainShare = "uncertain tokens";

    private const string Study = "text-to-text";
    private const float LearningRate = 3e-3f;
    private const int BatchSize = 16;
    private readonly Lazy<string?> _model = new(() => ModelFolder.NameOf(arguments.Model));

    /// <summary>What the runs have in common, in words.</summary>
    public static string Description => FormattableString.Invariant(
        $"Routers frozen, load-balancing coefficient 0.001, no z-loss, batches of {BatchSize}, highest learning rate {LearningRate}, a line ")
        + "to zero after a tenth of warm-up. The class is read from what the model writes greedily, and is right where all of it is.";

    /// <summary>Name of the accuracy with experts drawn at random for the uncertain tokens, or for as many of each sequence.</summary>
    public static string RandomExpertsAccuracy(GlobalWorkspaceTokens tokens) =>
        $"random experts, {(tokens == GlobalWorkspaceTokens.Uncertain ? "uncertain" : "arbitrary")} tokens";

    /// <summary>A run.</summary>
    public Run Run(TextTask task, FineTuningArm arm, int seed) =>
        new(Key(task, arm, seed), (engine, stop) => Execute(task, arm, seed, engine, stop));

    /// <summary>A value of all finished runs of an arm on some tasks.</summary>
    public IReadOnlyDictionary<(TextTask Task, int Seed), double> Values(
        RunLog log, IEnumerable<TextTask> tasks, FineTuningArm arm, string value)
    {
        var found =
            from task in tasks
            from seed in arguments.Seeds
            let result = log.Find(Key(task, arm, seed))
            where result is not null && result.Values.ContainsKey(value)
            select KeyValuePair.Create((task, seed), result.Values[value]);
        return found.ToDictionary();
    }

    private string Model => arguments.Model
        ?? throw new UserException("--model is missing: the folder of an encoder–decoder, such as the one that pretrain-switch writes.");

    private RunKey Key(TextTask task, FineTuningArm arm, int seed) => new(
        Study,
        task.ToString(),
        arm.Name,
        seed,
        string.Create(
            CultureInfo.InvariantCulture, $"{_model.Value}, epochs {Epochs(task)}, rate {LearningRate}, {ModelFolder.RowsOf(arguments)}"));

    private int Epochs(TextTask task) => arguments.Epochs ?? task.Epochs;

    private Dictionary<string, double> Execute(TextTask task, FineTuningArm arm, int seed, Engine engine, CancellationToken stop)
    {
        var (generator, start) = TextGenerator.Load(engine, Model, WeightPrecision.Float32, Path.GetFileName(Model));
        var input = (PublishedTextInput)start.Input;
        var (train, test) = task.Load(folder, seed);
        var config = GeneratorTrainingConfig.Glue;
        config = config with
        {
            Training = config.Training with
            {
                MaxEpochs = Epochs(task),
                BatchSize = BatchSize,
                LearningRate = LearningRate,
                WarmupShare = 0.1f,
                GlobalWorkspace = arm.Workspace,
                Seed = seed,
            },
            Dropout = 0.1f,
        };
        var model = new GeneratorTrainer(config, start).Train([.. train.Select(Encode)], validation: [], stop: stop);
        stop.ThrowIfCancellationRequested();
        EncodedText[] prompts = [.. test.Select(row => Encode(row).Input)];
        var values = new Dictionary<string, double> { [Accuracy] = AccuracyOf(model) };
        var report = model.ReportRouting(
            prompts,
            new RoutingReportOptions { UncertainThreshold = FineTuningArm.PaperThreshold, SampledTokens = 0, TopTokens = 0 },
            stop);
        values.Add(UncertainShare, report.Layers.Average(layer => layer.UncertainShare));
        if (arm == FineTuningArm.Standard)
            foreach (var tokens in new[] { GlobalWorkspaceTokens.Uncertain, GlobalWorkspaceTokens.Random })
            {
                var nats = FineTuningArm.PaperThreshold * Math.Log(model.Experts);
                values.Add(
                    RandomExpertsAccuracy(tokens),
                    AccuracyOf(model.WithPolicy(new RandomExperts(model.Router.CreatePolicy(), nats, tokens, seed))));
            }

        return values;

        Example<EncodedText> Encode(Sentence row) =>
            new(input.EncodeWithTarget(row.Text, WrittenClasses.TextOf(row.Label), WrittenClasses.LongestClass), 0f);

        double AccuracyOf(Model<EncodedText> writes) => WrittenClasses.Accuracy(generator, writes, prompts, test, stop);
    }
}
