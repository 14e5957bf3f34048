using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>
/// A <see cref="ImageStem.Convolutional"/> stem: stages, the first at full resolution and each further one at half of that before it.
/// </summary>
internal sealed record StemConfig
{
    /// <summary>Most stages: tokens of 64 × 64 pixels.</summary>
    public const int MostStages = 7;

    private const int LeastWidth = 8;

    /// <summary>Results of a stage, of two convolutions and one before: each of them, of two norms, two activations and a sum.</summary>
    private const int ResultsOfStage = 8;

    /// <summary>Vectors that a transformer block keeps of a token, or so.</summary>
    public const int ResultsOfToken = 12;

    private const int MostTokens = 64;

    /// <summary>Channels of each stage; the last's are the width of tokens.</summary>
    public required int[] Widths { get; init; }

    /// <summary>
    /// Whether convolutions are normalised over the batch, by channel, and not over the channels of each pixel, as those of earlier
    /// versions are. Default false.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool BatchNorm { get; init; }

    /// <summary>Side in pixels of what a token stands for.</summary>
    [JsonIgnore]
    public int TokenSide => 1 << (Widths.Length - 1);

    /// <summary>The stem of images: as many halvings as give at most 64 tokens, at each twice the channels.</summary>
    /// <param name="input">The images.</param>
    /// <param name="width">Width of tokens.</param>
    /// <param name="batchNorm">See <see cref="BatchNorm"/>.</param>
    public static StemConfig For(ImageInput input, int width, bool batchNorm)
    {
        var halvings = 0;
        while (halvings < MostStages - 1 && new PatchGrid(input, 1 << halvings, 0).Patches > MostTokens)
            halvings++;
        return new StemConfig
        {
            BatchNorm = batchNorm,
            Widths = [.. Enumerable.Range(0, halvings).Select(stage => Math.Max(LeastWidth, width >> (halvings - stage))), width],
        };
    }

    /// <summary>The stages of images: what enters each, and the convolution that does.</summary>
    public IEnumerable<(int Inputs, int Outputs, ConvolutionSpec Entry)> Stages(ImageInput input)
    {
        var (inputs, entry) = (input.Channels, new ConvolutionSpec(input.Height, input.Width));
        foreach (var width in Widths)
        {
            yield return (inputs, width, entry);
            (inputs, entry) = (width, new ConvolutionSpec(entry.ResultHeight, entry.ResultWidth, stride: 2));
        }
    }

    /// <summary>Multiply-adds of an image.</summary>
    public double Cost(ImageInput input) => Stages(input).Sum(stage =>
        (double)ConvolutionalStem.Places * stage.Entry.ResultHeight * stage.Entry.ResultWidth
        * stage.Outputs * (stage.Inputs + 2 * stage.Outputs));

    /// <summary>How many tokens' memory the results of an image take.</summary>
    public int Load(ImageInput input) => (int)Math.Min(
        int.MaxValue / 2,
        Stages(input).Sum(stage => (double)ResultsOfStage * stage.Entry.ResultHeight * stage.Entry.ResultWidth * stage.Outputs)
            / (ResultsOfToken * Widths[^1]));

    /// <summary>Checks the values.</summary>
    public void Check()
    {
        OptionCheck.Range(Widths.Length, 1, MostStages, nameof(Widths));
        foreach (var width in Widths)
            OptionCheck.Range(width, 1, 4096, nameof(Widths));
    }
}
