using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>A published encoder of images: it makes tokens of squares of an image, and puts them in context.</summary>
internal abstract record VisionConfig : PublishedConfig
{
    /// <summary>Pixels in a row of the images that it was trained on, or reads where any will do. Within [1, 1024].</summary>
    public required int ImageWidth { get; init => field = OptionCheck.Range(value, 1, ImageInput.MaximumSide, nameof(ImageWidth)); }

    /// <summary>Rows of pixels of these. Within [1, 1024].</summary>
    public required int ImageHeight { get; init => field = OptionCheck.Range(value, 1, ImageInput.MaximumSide, nameof(ImageHeight)); }

    /// <summary>Numbers of a pixel. Within [1, 16].</summary>
    public required int Channels { get; init => field = OptionCheck.Range(value, 1, ImageInput.MaximumChannels, nameof(Channels)); }

    /// <summary>Side of the square that a token stands for in pixels, P. Within [1, 256].</summary>
    public required int PatchSize { get; init => field = OptionCheck.Range(value, 1, 256, nameof(PatchSize)); }

    /// <summary>Tokens before the patches, each a vector that was learned.</summary>
    [JsonIgnore]
    internal abstract int SpecialTokens { get; }

    /// <summary>What the convolutions cost that make tokens of single pixels; null where a linear layer makes them of patches.</summary>
    [JsonIgnore]
    internal virtual ConvolutionCost? Convolutions => null;

    /// <inheritdoc/>
    internal override bool NormsTokens => false;

    /// <inheritdoc/>
    private protected override int FewestTokenIds => 0;

    /// <summary>What such a token is called, for people.</summary>
    /// <param name="token">Its number, from 0.</param>
    internal static string NameOf(int token) => token == 0 ? "[class]" : "[distillation]";

    /// <summary>The layers that make tokens of images.</summary>
    /// <param name="store">Makes their parameters.</param>
    /// <param name="grid">The squares of an image.</param>
    internal abstract TokenEmbedding CreateEmbedding(ParameterStore store, PatchGrid grid);

    /// <summary>The encoder as it reads images of a size, where it reads any and has to be told; as it is where it was trained on one.</summary>
    /// <param name="width">Pixels in a row.</param>
    /// <param name="height">Rows of pixels.</param>
    internal virtual VisionConfig Reading(int width, int height) => this;
}
