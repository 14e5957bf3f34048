using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// Architecture and training of an image classifier, a vision transformer. The defaults suit tables of a thousand to ten
/// thousand small images; every one of them can stay as it is.
/// </summary>
public sealed record ImageClassifierConfig
{
    /// <summary>The architecture. By default with a tenth of dropout.</summary>
    public EncoderConfig Encoder { get; init; } = new() { Dropout = 0.1f };

    /// <summary>
    /// Side of the square patches that an image is divided into, in pixels: one token each. Within [1, 64]; null takes the smallest,
    /// of 2 at least, with at most 64 patches. Default null.
    /// </summary>
    public int? PatchSize { get; init => field = OptionCheck.Range(value, 1, 64, nameof(PatchSize)); }

    /// <summary>
    /// What a patch sees of its neighbours on each side, as a share of its size: with 0.5 neighbouring patches overlap by half of what
    /// they see. Within [0, 1]. Default 0.5.
    /// </summary>
    public float PatchMargin { get; init => field = OptionCheck.Range(value, 0f, 1f, nameof(PatchMargin)); } = 0.5f;

    /// <summary>
    /// 3×3 convolutions over the patches before the transformer blocks: they know that neighbours belong together, which a transformer
    /// has to learn (Xiao et al. 2021, "Early convolutions help transformers see better"). Within [0, 8]. Default 2.
    /// </summary>
    public int Convolutions { get; init => field = OptionCheck.Range(value, 0, 8, nameof(Convolutions)); } = 2;

    /// <summary>How much images are changed at random while training.</summary>
    public AugmentationConfig Augmentation { get; init; } = new();

    /// <summary>How the model is trained.</summary>
    public TrainingConfig Training { get; init; } = new();

    /// <summary>How the images of a training set are divided, and the scale of their channels.</summary>
    /// <param name="training">The training set.</param>
    /// <param name="images">What they are like.</param>
    internal ImageInputConfig Measure(IEnumerable<Example<ImagePixels>> training, ImageInput images)
    {
        var scale = ChannelScale.Of(training.Where(row => row.Weight > 0).Select(row => row.Input), images);
        var size = PatchSize ?? PatchGrid.SizeFor(images);
        return new ImageInputConfig
        {
            ImageWidth = images.Width,
            ImageHeight = images.Height,
            Channels = images.Channels,
            PatchSize = size,
            PatchMargin = (int)MathF.Round(size * PatchMargin, MidpointRounding.AwayFromZero),
            Convolutions = Convolutions,
            Means = [.. scale.Means],
            Deviations = [.. scale.Deviations],
        };
    }
}

/// <summary>Trains a classifier from labelled images.</summary>
public sealed class ImageClassifierTrainer : ModelTrainer<ImagePixels>
{
    private readonly ImageClassifierConfig _config;
    private readonly int _classCount;
    private readonly WarmStart? _start;

    /// <summary>Prepares training.</summary>
    /// <param name="config">Architecture and training.</param>
    /// <param name="input">The images.</param>
    /// <param name="classCount">Number of classes, C, at least 2.</param>
    /// <param name="engine">Where the model is trained and will live.</param>
    /// <param name="start">
    /// What to start from; null for random weights. Patches, architecture and router are then this model's, whatever the configuration
    /// says.
    /// </param>
    /// <exception cref="ArgumentException">
    /// Values of the configuration contradict each other, or images have another size than those of <paramref name="start"/>; the message
    /// names them.
    /// </exception>
    public ImageClassifierTrainer(
        ImageClassifierConfig config, ImageInput input, int classCount, Engine engine, WarmStart? start = null)
        : base(WarmStart.EncoderOf(start, config.Encoder), config.Training, engine, start)
    {
        ArgumentNullException.ThrowIfNull(input);
        ClassTargets.CheckCount(classCount);
        (_config, _classCount, _start, Input) = (config, classCount, start, input);
        if (config.PatchSize is { } size && new PatchGrid(input, size, 0) is { Patches: > PatchGrid.MaximumPatches and var patches })
            throw new ArgumentOutOfRangeException(
                nameof(config),
                size,
                $"{nameof(config.PatchSize)} = {size} divides {input.Width} × {input.Height} pixels into {patches} patches; "
                + $"at most {PatchGrid.MaximumPatches} are possible.");
        if (start?.Input is ImageInputConfig earlier && (earlier.Size.Width, earlier.Size.Height, earlier.Size.Channels)
            != (input.Width, input.Height, input.Channels))
            throw new ArgumentException(
                $"The earlier model reads images of {earlier.Size.Width} × {earlier.Size.Height} × {earlier.Size.Channels}, "
                + $"these are of {input.Width} × {input.Height} × {input.Channels}: width, height, channels.",
                nameof(start));
    }

    /// <summary>Encodes images for training and for the model.</summary>
    public ImageInput Input { get; }

    private protected override (Input<ImagePixels> Input, HeadConfig Head) CreateEnds(IReadOnlyList<Example<ImagePixels>> training) =>
        (new PatchInput(_start?.Input as ImageInputConfig ?? _config.Measure(training, Input)), new ClassesHeadConfig { Classes = _classCount });

    private protected override Packer<ImagePixels> CreatePacker(Model<ImagePixels> model) =>
        ((PatchInput)model.Input).CreatePacker(_config.Augmentation);

    private protected override ModelObjective<ImagePixels> CreateObjective(
        Model<ImagePixels> model, Packer<ImagePixels> packer, TrainingRows<ImagePixels> rows, Func<(double Loss, double Metric)?> evaluate) =>
        _config.Augmentation.Mixes
            ? new MixedImageObjective(model, packer, rows.Training, rows.Validation, Training, evaluate)
            : base.CreateObjective(model, packer, rows, evaluate);

    private protected override int EpochsFor(IReadOnlyList<Example<ImagePixels>> training) => EpochRule.EpochsFor(training);

    private protected override void Check(Example<ImagePixels> row, string parameter)
    {
        ClassTargets.Check(row.Target, _classCount, parameter);
        if (row.Input.Length != Input.Length)
            throw new ArgumentException($"An image has {row.Input.Length} numbers, not {Input.Length}.", parameter);
    }

    private protected override void AddTo(TrainingDigest digest) => digest.AddJson(_config.Augmentation);
}
