using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Images as the patches of a published encoder, resized and scaled as it expects.</summary>
internal sealed record PublishedImageInputConfig : PatchInputConfig
{
    /// <summary>How images come to their size and scale.</summary>
    public required ImagePreprocessing Preprocessing { get; init; }

    /// <summary>Numbers of a pixel. Within [1, 16].</summary>
    public required int Channels { get; init => field = OptionCheck.Range(value, 1, ImageInput.MaximumChannels, nameof(Channels)); }

    /// <summary>Side in pixels of the square that a token stands for. Within [1, 256].</summary>
    public required int PatchSize { get; init => field = OptionCheck.Range(value, 1, 256, nameof(PatchSize)); }

    /// <summary>Tokens before the patches. Within [0, 2].</summary>
    public required int TokensBefore { get; init => field = OptionCheck.Range(value, 0, 2, nameof(TokensBefore)); }

    /// <summary>What the convolutions cost that make tokens of single pixels; null, the default, where a linear layer makes them of patches.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ConvolutionCost? Convolutions { get; init; }

    /// <inheritdoc/>
    [JsonIgnore]
    public override ImageInput Size => new(Preprocessing, Channels);

    /// <inheritdoc/>
    [JsonIgnore]
    public override PatchGrid Grid => new(new ImageInput(Preprocessing.Width, Preprocessing.Height, Channels), PatchSize, 0) { ChannelsFirst = true };

    /// <inheritdoc/>
    [JsonIgnore]
    public override PatchGrid Cut => Convolutions is null ? Grid : new(Size, 1, 0);

    /// <inheritdoc/>
    [JsonIgnore]
    public override ChannelScale Scale => Preprocessing.Scale;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int SpecialTokens => TokensBefore;

    /// <summary>The input of an encoder.</summary>
    /// <param name="encoder">The encoder.</param>
    /// <param name="preprocessing">How images come to their size and scale.</param>
    public static PublishedImageInputConfig Of(VisionConfig encoder, ImagePreprocessing preprocessing) => new()
    {
        Preprocessing = preprocessing,
        Channels = encoder.Channels,
        PatchSize = encoder.PatchSize,
        TokensBefore = encoder.SpecialTokens,
        Convolutions = encoder.Convolutions,
    };

    /// <inheritdoc/>
    public override TokenEmbedding CreateEmbedding(ParameterStore store, EncoderConfig encoder) => encoder is VisionConfig vision
        ? vision.CreateEmbedding(store, Grid)
        : throw new ArgumentException("Patches of a published encoder need that encoder.", nameof(encoder));

    /// <inheritdoc/>
    public override double EmbeddingCost(int width) => Convolutions is null ? (double)width * Grid.Values : Convolutions.MultiplyAdds / Grid.Patches;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int EmbeddingLoad => Convolutions?.Load ?? 0;

    /// <inheritdoc/>
    internal override void Check()
    {
        if (Preprocessing is null)
            throw new ArgumentNullException(nameof(Preprocessing), "There is no preprocessing.");
        Preprocessing.Check(Channels);
        if (Preprocessing.Width % PatchSize != 0 || Preprocessing.Height % PatchSize != 0)
        {
            throw new ArgumentException(
                $"{(Convolutions is null ? "Patches" : "Squares")} of {PatchSize} pixels do not divide images of {Preprocessing.Width} × {Preprocessing.Height}.",
                nameof(PatchSize));
        }

        OptionCheck.Range(Grid.Patches, 1, PatchGrid.MaximumPatches, nameof(Grid.Patches));
    }

    /// <summary>Checks that the encoder reads such patches.</summary>
    /// <exception cref="ArgumentException">It reads others.</exception>
    public void CheckFits(VisionConfig encoder)
    {
        if ((Channels, PatchSize, TokensBefore, Convolutions) != (encoder.Channels, encoder.PatchSize, encoder.SpecialTokens, encoder.Convolutions))
            throw new ArgumentException("The patches are not those of the published encoder.", nameof(encoder));
        if (Convolutions is not null && (Preprocessing.Width, Preprocessing.Height) != (encoder.ImageWidth, encoder.ImageHeight))
            throw new ArgumentException("The images are not those of the published encoder.", nameof(encoder));
    }
}

/// <summary>What the convolutions cost that make an image's tokens.</summary>
/// <param name="MultiplyAdds">Multiply-adds of an image.</param>
/// <param name="Load">How many tokens' memory their results take.</param>
internal sealed record ConvolutionCost(double MultiplyAdds, int Load);
