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

    /// <summary>Side of a patch in pixels. Within [1, 256].</summary>
    public required int PatchSize { get; init => field = OptionCheck.Range(value, 1, 256, nameof(PatchSize)); }

    /// <summary>Tokens before the patches. Within [1, 2].</summary>
    public required int TokensBefore { get; init => field = OptionCheck.Range(value, 1, 2, nameof(TokensBefore)); }

    /// <inheritdoc/>
    [JsonIgnore]
    public override ImageInput Size => new(Preprocessing, Channels);

    /// <inheritdoc/>
    [JsonIgnore]
    public override PatchGrid Grid => new(new ImageInput(Preprocessing.Width, Preprocessing.Height, Channels), PatchSize, 0) { ChannelsFirst = true };

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
    };

    /// <inheritdoc/>
    public override TokenEmbedding CreateEmbedding(ParameterStore store, EncoderConfig encoder) => encoder is VisionConfig vision
        ? new PublishedPatchEmbedding(store, Grid, vision)
        : throw new ArgumentException("Patches of a published encoder need that encoder.", nameof(encoder));

    /// <inheritdoc/>
    public override double EmbeddingCost(int width) => (double)width * Grid.Values;

    /// <inheritdoc/>
    internal override void Check()
    {
        if (Preprocessing is null)
            throw new ArgumentNullException(nameof(Preprocessing), "There is no preprocessing.");
        Preprocessing.Check(Channels);
        if (Preprocessing.Width % PatchSize != 0 || Preprocessing.Height % PatchSize != 0)
        {
            throw new ArgumentException(
                $"Patches of {PatchSize} pixels do not divide images of {Preprocessing.Width} × {Preprocessing.Height}.", nameof(PatchSize));
        }

        OptionCheck.Range(Grid.Patches, 1, PatchGrid.MaximumPatches, nameof(Grid.Patches));
    }

    /// <summary>Checks that the encoder reads such patches.</summary>
    /// <exception cref="ArgumentException">It reads others.</exception>
    public void CheckFits(VisionConfig encoder)
    {
        if ((Channels, PatchSize, TokensBefore) != (encoder.Channels, encoder.PatchSize, encoder.SpecialTokens))
            throw new ArgumentException("The patches are not those of the published encoder.", nameof(encoder));
    }
}
