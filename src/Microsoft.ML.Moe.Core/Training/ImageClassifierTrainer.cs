using Microsoft.ML.Moe.Images;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>Trains an <see cref="ImageClassifier"/> from labelled images.</summary>
public sealed class ImageClassifierTrainer
{
    private readonly ImageClassifierOptions _options;
    private readonly int _classCount;
    private readonly Engine _engine;

    /// <summary>Prepares training.</summary>
    /// <param name="options">Architecture and training; checked here and copied.</param>
    /// <param name="input">The images.</param>
    /// <param name="classCount">Number of classes, C, at least 2.</param>
    /// <param name="engine">Where the model is trained and will live.</param>
    /// <exception cref="ArgumentException">An option is impossible; the message names it.</exception>
    public ImageClassifierTrainer(ImageClassifierOptions options, ImageInput input, int classCount, Engine engine)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentOutOfRangeException.ThrowIfLessThan(classCount, 2);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(classCount, IClassifierOptions.MaximumClasses);
        options.Validate();
        _options = (ImageClassifierOptions)options.Clone();
        _classCount = classCount;
        _engine = engine;
        Input = input;
        if (options.PatchSize is { } size && new PatchGrid(input, size, 0) is { Patches: > PatchGrid.MaximumPatches and var patches })
            throw new ArgumentOutOfRangeException(
                nameof(options),
                size,
                $"{nameof(options.PatchSize)} = {size} divides {input.Width} × {input.Height} pixels into {patches} patches; "
                + $"at most {PatchGrid.MaximumPatches} are possible.");
    }

    /// <summary>Encodes images for <see cref="Train"/> and for the classifier that it returns.</summary>
    public ImageInput Input { get; }

    /// <summary>Trains a classifier.</summary>
    /// <param name="training">Rows to learn from, at least one.</param>
    /// <param name="validation">
    /// Rows to choose the best epoch by; null draws <see cref="EncoderOptions.ValidationShare"/> of the training rows.
    /// </param>
    /// <param name="observer">Is told how it goes.</param>
    /// <param name="stop">Ends training after the current step and keeps the best that there is.</param>
    /// <returns>The classifier as it was after the best epoch, or after the last without validation rows.</returns>
    /// <exception cref="ArgumentException">There are no rows, a label is out of range, or an image is of another size.</exception>
    /// <exception cref="InvalidOperationException">The loss is no longer finite; the message tells epoch and learning rate.</exception>
    public ImageClassifier Train(
        IReadOnlyList<LabelledRow<ImagePixels>> training,
        IReadOnlyList<LabelledRow<ImagePixels>>? validation = null,
        ITrainingObserver? observer = null,
        CancellationToken stop = default)
    {
        (training, validation) = ClassifierTraining<ImagePixels>.Prepare(training, validation, _classCount, _options);
        foreach (var row in training.Concat(validation))
            if (row.Input.Length != Input.Length)
                throw new ArgumentException($"An image has {row.Input.Length} numbers, not {Input.Length}.", nameof(training));
        var scale = ChannelScale.Of(training.Where(row => row.Weight > 0).Select(row => row.Input), Input);
        var config = new ImageClassifierConfig(_options, Input, _classCount, scale);
        var store = new ParameterStore(_engine, _options.Seed ?? 0);
        var classifier = new ImageClassifier(_engine, config, store);
        using var optimizer = ModelOptimizer.Create(_engine, store, _options);
        var forward = classifier.CreateForward(_options.Augmentation);
        new ClassifierTraining<ImagePixels>(_options, _options, _engine, classifier, forward).Execute(
            optimizer, training, validation, EpochRule.EpochsFor(training), (digest, images) => digest.AddImages(images), observer, stop);
        return classifier;
    }
}
