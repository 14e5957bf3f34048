using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// Architecture and training of an image classifier, a vision transformer. Every default can stay as it is; with a
/// <see cref="ImageStem.Convolutional"/> stem those of <see cref="Encoder"/> and <see cref="Training"/> become its own, see
/// <see cref="Stem"/>.
/// </summary>
public sealed record ImageClassifierConfig
{
    /// <summary>The architecture. By default with a tenth of dropout.</summary>
    public EncoderConfig Encoder { get; init; } = new() { Dropout = 0.1f };

    /// <summary>
    /// How tokens are made of pixels. null takes convolutions for images of more than 64 pixels and at most 96 a side, and patches for
    /// others, or where <see cref="PatchSize"/> is given. With convolutions, what is left at its default becomes: a width of 64, one block,
    /// 2 heads, 8 experts of 128, one for each token; a learning rate of 2e-3, and a warm-up over a fifth of the steps. Default null.
    /// </summary>
    public ImageStem? Stem { get; init => field = value is { } stem ? OptionCheck.Defined(stem, nameof(Stem)) : null; }

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

    /// <summary>The same with what images of one size make of values that are left at their defaults.</summary>
    /// <param name="images">The images.</param>
    /// <param name="earlier">How an earlier model that training starts from reads them; null where there is none.</param>
    internal ImageClassifierConfig For(ImageInput images, ImageInputConfig? earlier = null)
    {
        var stem = earlier is not null ? earlier.Stem is null ? ImageStem.Patches : ImageStem.Convolutional
            : Stem ?? (PatchSize is null && ImageRecipe.SuitsConvolutions(images) ? ImageStem.Convolutional : ImageStem.Patches);
        return stem == ImageStem.Patches
            ? this with { Stem = stem }
            : this with { Stem = stem, Encoder = ImageRecipe.Of(Encoder), Training = ImageRecipe.Of(Training) };
    }

    /// <summary>How the images of a training set become tokens, and the scale of their channels.</summary>
    /// <param name="training">The training set.</param>
    /// <param name="images">What they are like.</param>
    internal ImageInputConfig Measure(IEnumerable<Example<ImagePixels>> training, ImageInput images)
    {
        var scale = ChannelScale.Of(training.Where(row => row.Weight > 0).Select(row => row.Input), images);
        var stem = Stem == ImageStem.Convolutional ? StemConfig.For(images, Encoder.Width, batchNorm: Training.DataParallel is null) : null;
        var size = stem?.TokenSide ?? PatchSize ?? PatchGrid.SizeFor(images);
        return new ImageInputConfig
        {
            ImageWidth = images.Width,
            ImageHeight = images.Height,
            Channels = images.Channels,
            PatchSize = size,
            PatchMargin = stem is null ? (int)MathF.Round(size * PatchMargin, MidpointRounding.AwayFromZero) : 0,
            Convolutions = stem is null ? Convolutions : 0,
            Stem = stem,
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
    private AugmentationConfig _augmentation;

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
        : this(Settled(config, input, start), start, input, classCount, engine)
    {
    }

    private ImageClassifierTrainer(ImageClassifierConfig config, WarmStart? start, ImageInput input, int classCount, Engine engine)
        : base(WarmStart.EncoderOf(start, config.Encoder), config.Training, engine, start)
    {
        ClassTargets.CheckCount(classCount);
        (_config, _classCount, _start, Input) = (config, classCount, start, input);
        _augmentation = config.Augmentation;
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

    private protected override (Input<ImagePixels> Input, HeadConfig Head) CreateEnds(IReadOnlyList<Example<ImagePixels>> training)
    {
        var input = _start?.Input as ImageInputConfig ?? _config.Measure(training, Input);
        _augmentation = input.Stem is null ? _config.Augmentation : ImageRecipe.Of(_config.Augmentation, training.Count);
        return (new PatchInput(input), new ClassesHeadConfig { Classes = _classCount });
    }

    private protected override Packer<ImagePixels> CreatePacker(Model<ImagePixels> model) =>
        ((PatchInput)model.Input).CreatePacker(_augmentation);

    private protected override ModelObjective<ImagePixels> CreateObjective(
        Model<ImagePixels> model, Packer<ImagePixels> packer, TrainingRows<ImagePixels> rows, Func<(double Loss, double Metric)?> evaluate) =>
        _augmentation.Mixes
            ? new MixedImageObjective(model, packer, rows.Training, rows.Validation, Training, evaluate)
            : base.CreateObjective(model, packer, rows, evaluate);

    private protected override int EpochsFor(IReadOnlyList<Example<ImagePixels>> training) =>
        _config.Stem == ImageStem.Convolutional ? EpochRule.ConvolutionalEpochsFor(training.Count) : EpochRule.EpochsFor(training);

    private protected override void Check(Example<ImagePixels> row, string parameter)
    {
        ClassTargets.Check(row.Target, _classCount, parameter);
        if (row.Input.Length != Input.Length)
            throw new ArgumentException($"An image has {row.Input.Length} numbers, not {Input.Length}.", parameter);
    }

    private protected override void AddTo(TrainingDigest digest) => digest.AddJson(_augmentation);

    /// <summary>The configuration with nothing left to the size of the images.</summary>
    private static ImageClassifierConfig Settled(ImageClassifierConfig config, ImageInput input, WarmStart? start)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(input);
        return config.For(input, start?.Input as ImageInputConfig);
    }
}
