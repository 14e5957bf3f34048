using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>Trains a classifier of images that begins with a published encoder.</summary>
internal sealed class PublishedImageTrainer : PublishedTrainer<ImagePixels>
{
    /// <summary>How many of the last layers' states the frozen encoder is read by, beside the first token's last.</summary>
    public const int FrozenLayers = 4;

    private readonly PublishedTrainingConfig _config;
    private readonly PublishedImageSource _source;
    private readonly int _classes;

    /// <summary>Prepares training.</summary>
    /// <param name="config">How it is trained.</param>
    /// <param name="source">The encoder.</param>
    /// <param name="classCount">Number of classes, C, at least 2.</param>
    /// <param name="engine">Where the model is trained and will live.</param>
    /// <exception cref="ArgumentException">The encoder cannot be made such a mixture, or a global workspace is to be where there is
    /// none.</exception>
    public PublishedImageTrainer(PublishedTrainingConfig config, PublishedImageSource source, int classCount, Engine engine)
        : base(config, source.Encoder, source.Folder.Key, classCount, engine)
    {
        CheckMixture(source.Upcycling?.Apply(source.Encoder) ?? source.Encoder);
        (_config, _source, _classes) = (config, source, classCount);
    }

    private protected override Model<ImagePixels> Learn(
        TrainingRows<ImagePixels> rows, ITrainingObserver? observer, CancellationToken stop)
    {
        var log = new TrainingLog(observer);
        var task = TaskOf(rows);
        var frozen = task.CreateModel(Engine, FrozenLayers);
        Example<ImagePixels>[] all = task.All;
        return Learn(
            task,
            frozen,
            [.. all.Select(row => row.Input)],
            states => new BranchExamples(
                new ProbeExamples(states.Features, states.Width, [.. all.Select(row => (int)row.Target)], task.Weights), Linear: null),
            log,
            observer,
            stop).Best.Model;
    }

    private protected override void Check(Example<ImagePixels> row, string parameter)
    {
        base.Check(row, parameter);
        if (row.Input.Length != _source.Input.Images.Length)
            throw new ArgumentException($"An image has {row.Input.Length} numbers, not {_source.Input.Images.Length}.", parameter);
    }

    private ImageTuningTask TaskOf(TrainingRows<ImagePixels> rows)
    {
        Example<ImagePixels>[] training = [.. rows.Training.Where(row => row.Weight > 0)];
        Example<ImagePixels>[] all = [.. training, .. rows.Validation.Where(row => row.Weight > 0)];
        var tokens = training.Sum(row => (double)_source.Input.TokensOf(row.Input));
        return new ImageTuningTask(_source, _config, _classes)
        {
            All = all,
            Weights = TuningTask<ImagePixels>.WeightsOf(all, training.Length, _classes, Training.ClassWeighting),
            Training = [.. Enumerable.Range(0, training.Length)],
            Validation = [.. Enumerable.Range(training.Length, all.Length - training.Length)],
            Plan = FineTuningPlan.ForImages(
                _config.FineTuning, training.Length, Layers, _source.Encoder.EmbeddingLayers > 0, FlopsOfLayer(tokens)),
            Width = _source.Encoder.Width,
        };
    }
}
