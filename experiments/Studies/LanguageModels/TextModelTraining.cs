using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Experiments.Studies.LanguageModels;

/// <summary>How models that write text are trained from scratch and measured here.</summary>
internal static class TextModelTraining
{
    /// <summary>Learns from each row once: AdamW with a warm-up and a cosine.</summary>
    /// <param name="batchSize">Rows of a step.</param>
    /// <param name="learningRate">Highest learning rate.</param>
    /// <param name="seed">Of the order.</param>
    /// <param name="checkpoint">Where the state is kept; null for nowhere.</param>
    public static GeneratorTrainingConfig Config(int batchSize, float learningRate, int seed, string? checkpoint = null) => new()
    {
        Training = new TrainingConfig
        {
            MaxEpochs = 1,
            BatchSize = batchSize,
            LearningRate = learningRate,
            WarmupShare = 0.03f,
            WeightDecay = 0.1f,
            LabelSmoothing = 0f,
            Seed = seed,
            CheckpointFile = checkpoint,
        },
        Beta2 = 0.98f,
    };

    /// <summary>Trains a model; its weights change.</summary>
    /// <param name="model">The model.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="config">How.</param>
    /// <param name="name">What progress is told of; null tells nothing.</param>
    /// <param name="stop">Ends it.</param>
    public static void Train(
        Model<EncodedText> model, IReadOnlyList<Example<EncodedText>> rows, GeneratorTrainingConfig config, string? name, CancellationToken stop)
    {
        new GeneratorTrainer(config, model).Train(rows, validation: [], name is null ? null : new Progress(name), stop);
        stop.ThrowIfCancellationRequested();
    }

    /// <summary>What a causal model needs to write rows, and how many experts its tokens have.</summary>
    /// <param name="model">The model.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="characters">Characters that they stand for.</param>
    public static (double BitsPerCharacter, double ExpertsPerToken) Measure(
        Model<EncodedText> model, IReadOnlyList<Example<EncodedText>> rows, long characters)
    {
        var tally = new RoutingTally();
        var measured = model.Measure(rows, observer: tally);
        return (measured.Loss * measured.Count / characters / Math.Log(2), (double)tally.Pairs / tally.Tokens);
    }

    private sealed class Progress(string name) : ITrainingObserver
    {
        private const int StepsBetween = 50;
        private readonly Stopwatch _watch = Stopwatch.StartNew();
        private double _sum;

        public void OnStep(int epoch, int step, int steps, double loss)
        {
            _sum += loss;
            if (step % StepsBetween != 0)
                return;
            Console.Error.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"{name}: step {step} of {steps}, loss {_sum / StepsBetween:F4}, {_watch.Elapsed:h\\:mm\\:ss}"));
            _sum = 0;
        }

        public void OnEpoch(EpochReport report)
        {
        }
    }
}
