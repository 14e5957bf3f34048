using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Images as patches, one token each (Dosovitskiy et al. 2021, "An image is worth 16×16 words").</summary>
public sealed class PatchInput : Input<ImagePixels>
{
    private readonly PatchInputConfig _config;
    private readonly PatchGrid _grid;
    private readonly int _embeddingLoad;

    internal PatchInput(PatchInputConfig config)
    {
        _config = config;
        _embeddingLoad = config.EmbeddingLoad;
        _grid = config.Grid;
        Images = config.Size;
    }

    /// <summary>Turns images into rows of the model.</summary>
    public ImageInput Images { get; }

    /// <inheritdoc/>
    internal override PatchInputConfig Config => _config;

    /// <summary>How images are divided into patches.</summary>
    internal PatchGrid Grid => _grid;

    /// <summary>Tokens before the patches.</summary>
    internal int SpecialTokens => _config.SpecialTokens;

    /// <inheritdoc/>
    internal override int TokensOf(ImagePixels row) => _config.SpecialTokens + _grid.Patches;

    /// <inheritdoc/>
    internal override int LoadOf(ImagePixels row) => Math.Max(TokensOf(row), _embeddingLoad);

    /// <inheritdoc/>
    internal override string TextOf(ImagePixels row, int position) => position < _config.SpecialTokens
        ? VisionConfig.NameOf(position)
        : _grid.TextOf(position - _config.SpecialTokens);

    /// <inheritdoc/>
    internal override Packer<ImagePixels> CreatePacker(Packing packing) =>
        new ImageBatchPacker(_config, packing.KeepsLayouts);

    /// <summary>Packs images for training.</summary>
    /// <param name="augmentation">How much they are changed.</param>
    internal Packer<ImagePixels> CreatePacker(AugmentationConfig augmentation) =>
        new ImageBatchPacker(
            _config,
            keepsLayouts: false,
            new ImageAugmentation(Images, augmentation),
            augmentation.Mixes ? new ImageMixing(Images, augmentation) : null);

    /// <inheritdoc/>
    internal override TokenEmbedding CreateEmbedding(ParameterStore store, EncoderConfig encoder) =>
        _config.CreateEmbedding(store, encoder);

    /// <inheritdoc/>
    internal override double EmbeddingCost(int width) => _config.EmbeddingCost(width);

    /// <inheritdoc/>
    internal override void AddTo(TrainingDigest digest, IEnumerable<ImagePixels> rows) => digest.AddImages(rows);
}

/// <summary>How images become patches.</summary>
internal abstract record PatchInputConfig : InputConfig
{
    /// <summary>The images.</summary>
    [JsonIgnore]
    public abstract ImageInput Size { get; }

    /// <summary>How they are divided.</summary>
    [JsonIgnore]
    public abstract PatchGrid Grid { get; }

    /// <summary>What the embedding is given of them: those patches, or single pixels. Default the patches.</summary>
    [JsonIgnore]
    public virtual PatchGrid Cut => Grid;

    /// <summary>Scale of the channels.</summary>
    [JsonIgnore]
    public abstract ChannelScale Scale { get; }

    /// <summary>Tokens before the patches.</summary>
    [JsonIgnore]
    public abstract int SpecialTokens { get; }

    /// <summary>The layers that make token vectors of patches.</summary>
    public abstract TokenEmbedding CreateEmbedding(ParameterStore store, EncoderConfig encoder);

    /// <summary>Multiply-adds that make a token's vector.</summary>
    /// <param name="width">Width of token vectors, D.</param>
    public abstract double EmbeddingCost(int width);

    /// <summary>How many tokens' memory it takes to make those of an image. Default 0: no more than they take themselves.</summary>
    [JsonIgnore]
    public virtual int EmbeddingLoad => 0;
}

/// <summary>How images are divided into patches, and the scale of their channels.</summary>
internal sealed record ImageInputConfig : PatchInputConfig
{
    /// <summary>Pixels in a row of an image.</summary>
    public required int ImageWidth { get; init => field = OptionCheck.Range(value, 1, ImageInput.MaximumSide, nameof(ImageWidth)); }

    /// <summary>Rows of pixels of an image.</summary>
    public required int ImageHeight { get; init => field = OptionCheck.Range(value, 1, ImageInput.MaximumSide, nameof(ImageHeight)); }

    /// <summary>Numbers of a pixel.</summary>
    public required int Channels { get; init => field = OptionCheck.Range(value, 1, ImageInput.MaximumChannels, nameof(Channels)); }

    /// <summary>Side of a patch in pixels.</summary>
    public required int PatchSize { get; init => field = OptionCheck.Range(value, 1, 64, nameof(PatchSize)); }

    /// <summary>Pixels that a patch sees beyond itself on each side; at most its size.</summary>
    public required int PatchMargin { get; init; }

    /// <summary>3×3 convolutions over the patches before the transformer blocks.</summary>
    public required int Convolutions { get; init => field = OptionCheck.Range(value, 0, 8, nameof(Convolutions)); }

    /// <summary>The convolutions that make tokens of pixels; null, the default, where a linear layer over patches does.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public StemConfig? Stem { get; init; }

    /// <summary>Mean of each channel over the training set.</summary>
    public required float[] Means { get; init; }

    /// <summary>Standard deviation of each channel over the training set.</summary>
    public required float[] Deviations { get; init; }

    /// <summary>The images.</summary>
    [JsonIgnore]
    public override ImageInput Size => new(ImageWidth, ImageHeight, Channels);

    /// <summary>How they are divided.</summary>
    [JsonIgnore]
    public override PatchGrid Grid => new(Size, PatchSize, PatchMargin);

    /// <inheritdoc/>
    [JsonIgnore]
    public override PatchGrid Cut => Stem is null ? Grid : new(Size, 1, 0);

    /// <summary>Scale of the channels.</summary>
    [JsonIgnore]
    public override ChannelScale Scale => new(Means, Deviations);

    /// <inheritdoc/>
    [JsonIgnore]
    public override int SpecialTokens => 0;

    /// <inheritdoc/>
    public override TokenEmbedding CreateEmbedding(ParameterStore store, EncoderConfig encoder) =>
        Stem is null ? new PatchEmbedding(store, this, encoder) : new ConvolutionalStem(store, this, encoder);

    /// <inheritdoc/>
    public override double EmbeddingCost(int width) => Stem is null
        ? (double)width * (Grid.Values + Convolutions * TokenConvolution.Places * width)
        : Stem.Cost(Size) / Grid.Patches;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int EmbeddingLoad => Stem?.Load(Size) ?? 0;

    /// <inheritdoc/>
    internal override void Check()
    {
        OptionCheck.Range(PatchMargin, 0, PatchSize, nameof(PatchMargin));
        Stem?.Check();
        if (Stem is not null && (PatchSize, PatchMargin, Convolutions) != (Stem.TokenSide, 0, 0))
            throw new ArgumentException(
                $"A stem of {Stem.Widths.Length} stages has tokens of {Stem.TokenSide} pixels, and no patches.", nameof(Stem));
        OptionCheck.Range(Grid.Patches, 1, PatchGrid.MaximumPatches, nameof(Grid.Patches));
        CheckScale(Means, float.IsFinite, nameof(Means));
        CheckScale(Deviations, value => value > 0 && float.IsFinite(value), nameof(Deviations));
    }

    private void CheckScale(float[] values, Predicate<float> isPossible, string name)
    {
        if (values.Length != Channels || !Array.TrueForAll(values, isPossible))
            throw new ArgumentException($"{name} are not those of {Channels} channels.", name);
    }
}
