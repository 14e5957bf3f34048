using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Images as patches, one token each (Dosovitskiy et al. 2021, "An image is worth 16×16 words").</summary>
public sealed class PatchInput : Input<ImagePixels>
{
    private readonly ImageInputConfig _config;
    private readonly PatchGrid _grid;

    internal PatchInput(ImageInputConfig config)
    {
        _config = config;
        _grid = config.Grid;
        Images = config.Size;
    }

    /// <summary>Turns images into rows of the model.</summary>
    public ImageInput Images { get; }

    /// <inheritdoc/>
    internal override ImageInputConfig Config => _config;

    /// <inheritdoc/>
    internal override int TokensOf(ImagePixels row) => _grid.Patches;

    /// <inheritdoc/>
    internal override string TextOf(ImagePixels row, int position) => _grid.TextOf(position);

    /// <inheritdoc/>
    internal override Packer<ImagePixels> CreatePacker(Packing packing) =>
        new ImageBatchPacker(_grid, _config.Scale, packing.KeepsLayouts);

    /// <summary>Packs images for training.</summary>
    /// <param name="augmentation">How much they are changed.</param>
    internal Packer<ImagePixels> CreatePacker(AugmentationConfig augmentation) =>
        new ImageBatchPacker(_grid, _config.Scale, keepsLayouts: false, new ImageAugmentation(Images, augmentation));

    /// <inheritdoc/>
    internal override TokenEmbedding CreateEmbedding(ParameterStore store, EncoderConfig encoder) =>
        new PatchEmbedding(store, _config, encoder);

    /// <inheritdoc/>
    internal override double EmbeddingCost(int width) =>
        (double)width * (_grid.Values + _config.Convolutions * TokenConvolution.Places * width);

    /// <inheritdoc/>
    internal override void AddTo(TrainingDigest digest, IEnumerable<ImagePixels> rows) => digest.AddImages(rows);
}

/// <summary>How images are divided into patches, and the scale of their channels.</summary>
internal sealed record ImageInputConfig : InputConfig
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

    /// <summary>Mean of each channel over the training set.</summary>
    public required float[] Means { get; init; }

    /// <summary>Standard deviation of each channel over the training set.</summary>
    public required float[] Deviations { get; init; }

    /// <summary>The images.</summary>
    [JsonIgnore]
    public ImageInput Size => new(ImageWidth, ImageHeight, Channels);

    /// <summary>How they are divided.</summary>
    [JsonIgnore]
    public PatchGrid Grid => new(Size, PatchSize, PatchMargin);

    /// <summary>Scale of the channels.</summary>
    [JsonIgnore]
    public ChannelScale Scale => new(Means, Deviations);

    /// <inheritdoc/>
    internal override void Check()
    {
        OptionCheck.Range(PatchMargin, 0, PatchSize, nameof(PatchMargin));
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
