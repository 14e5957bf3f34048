using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Images;

namespace Microsoft.ML.Moe.Models;

/// <summary>All that is needed, beside the weights, to rebuild an image classifier: <c>Config.json</c> of the model zip.</summary>
internal sealed record ImageClassifierConfig : EncoderConfig
{
    /// <summary>For the reader of JSON.</summary>
    public ImageClassifierConfig()
    {
    }

    /// <summary>What options ask for.</summary>
    /// <param name="options">The options.</param>
    /// <param name="input">The images.</param>
    /// <param name="classes">Number of classes.</param>
    /// <param name="scale">Of the channels.</param>
    [SetsRequiredMembers]
    public ImageClassifierConfig(ImageClassifierOptions options, ImageInput input, int classes, ChannelScale scale)
        : base(options)
    {
        (ImageWidth, ImageHeight, Channels) = (input.Width, input.Height, input.Channels);
        PatchSize = options.PatchSize ?? PatchGrid.SizeFor(input);
        PatchMargin = (int)MathF.Round(PatchSize * options.PatchMargin, MidpointRounding.AwayFromZero);
        Convolutions = options.Convolutions;
        (Means, Deviations) = ([.. scale.Means], [.. scale.Deviations]);
        Classes = classes;
    }

    /// <summary>Pixels in a row of an image.</summary>
    public required int ImageWidth { get; init; }

    /// <summary>Rows of pixels of an image.</summary>
    public required int ImageHeight { get; init; }

    /// <summary>Numbers of a pixel.</summary>
    public required int Channels { get; init; }

    /// <summary>Side of a patch in pixels.</summary>
    public required int PatchSize { get; init; }

    /// <summary>Pixels that a patch sees beyond itself on each side.</summary>
    public required int PatchMargin { get; init; }

    /// <summary>See <see cref="ImageClassifierOptions.Convolutions"/>.</summary>
    public required int Convolutions { get; init; }

    /// <summary>Mean of each channel over the training set.</summary>
    public required float[] Means { get; init; }

    /// <summary>Standard deviation of each channel over the training set.</summary>
    public required float[] Deviations { get; init; }

    /// <summary>Number of classes, C.</summary>
    public required int Classes { get; init; }

    /// <summary>The images.</summary>
    [JsonIgnore]
    public ImageInput Input => new(ImageWidth, ImageHeight, Channels);

    /// <summary>How they are divided.</summary>
    [JsonIgnore]
    public PatchGrid Grid => new(Input, PatchSize, PatchMargin);

    /// <summary>Scale of the channels.</summary>
    [JsonIgnore]
    public ChannelScale Scale => new(Means, Deviations);

    /// <inheritdoc/>
    [JsonIgnore]
    public override double EmbeddingCost => (double)Width * (Grid.Values + Convolutions * TokenConvolution.Places * Width);

    private protected override void Check()
    {
        base.Check();
        Range(ImageWidth, 1, ImageInput.MaximumSide, nameof(ImageWidth));
        Range(ImageHeight, 1, ImageInput.MaximumSide, nameof(ImageHeight));
        Range(Channels, 1, ImageInput.MaximumChannels, nameof(Channels));
        Range(PatchMargin, 0, PatchSize, nameof(PatchMargin));
        Range(Grid.Patches, 1, PatchGrid.MaximumPatches, nameof(Grid.Patches));
        Range(Classes, 1, IClassifierOptions.MaximumClasses, nameof(Classes));
        CheckScale(Means, value => float.IsFinite(value), nameof(Means));
        CheckScale(Deviations, value => value > 0 && float.IsFinite(value), nameof(Deviations));
    }

    private void CheckScale(float[] values, Predicate<float> isPossible, string name)
    {
        if (values is null || values.Length != Channels || !Array.TrueForAll(values, isPossible))
            throw new InvalidDataException($"Config.json holds {name} that are not those of {Channels} channels.");
    }

    private protected override EncoderOptions ToOptions() =>
        Fill(new ImageClassifierOptions { PatchSize = PatchSize, Convolutions = Convolutions });
}
