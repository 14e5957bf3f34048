using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Experiments.Studies.LanguageModels;

/// <summary>Trains a model that writes text, each row once.</summary>
internal static class TextModelTraining
{
    /// <summary>Trains the model that is given.</summary>
    /// <param name="model">The model; its weights change.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="config">How.</param>
    /// <param name="name">What progress is told of; null tells nothing.</param>
    /// <param name="stop">Ends it.</param>
    public static void Train(
        Model<EncodedText> model, IReadOnlyList<Example<EncodedText>> rows, TrainingConfig config, string? name, CancellationToken stop)
    {
        using var optimizer = ModelOptimizer.Create(model.Engine, model.Parameters, config);
        Parameter[] parameters = [.. model.Parameters.All.Select(p => p.Parameter)];
        var objective = new ModelObjective<EncodedText>(model, model.Input.CreatePacker(model.Packing()), rows, [], config);
        var checkpoint = config.CheckpointFile is { } file ? new TrainingCheckpoint(file, name ?? "") : null;
        var observer = name is null ? null : new Progress(name);
        new TrainingLoop(TrainingSchedule.From(config, 1), objective, optimizer, parameters, observer, checkpoint).Execute(stop);
        ModelOptimizer.Unfreeze(model.Parameters);
        stop.ThrowIfCancellationRequested();
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
