using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models.Published;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// Random weights that a model begins with. Matrices come as N(0, 1/inputs), tables as N(0, 0.02²); what an architecture has otherwise is here:
/// <list type="bullet">
/// <item>Causal models: what adds to the residual stream is divided by √(2·blocks), so that the stream does not grow with the depth (Radford et
/// al. 2019, "Language models are unsupervised multitask learners", section 2.3); routers and the table of scores are N(0, 0.02²), so that at
/// first all experts and tokens are about as probable.</item>
/// <item>Encoder–decoders, as in T5's code, because its attention has no scale: queries N(0, 1/(D·head width)), token vectors N(0, 1), the
/// table of distances N(0, 1/D); routers N(0, 0.1/D) (Fedus et al. 2021, section 2.4).</item>
/// </list>
/// </summary>
internal static class InitialWeights
{
    /// <summary>Standard deviation of tables.</summary>
    public const float Deviation = 0.02f;

    private const float RouterScale = 0.1f;

    /// <summary>What makes the weights that a model begins with of a name, a shape and values as they come.</summary>
    public static Func<string, int[], float[], float[]> Of(PublishedConfig config) => (name, _, values) =>
    {
        var factor = config is EncoderDecoderConfig encoderDecoder ? FactorOf(name, encoderDecoder) : FactorOf(name, config);
        if (factor != 1f)
            foreach (ref var value in values.AsSpan())
                value *= factor;
        return values;
    };

    private static float FactorOf(string name, PublishedConfig config) =>
        name.EndsWith(".attention.output.weight", StringComparison.Ordinal)
            || name.EndsWith(".experts.w2", StringComparison.Ordinal)
            || name.EndsWith(".second.weight", StringComparison.Ordinal) ? 1f / MathF.Sqrt(2f * config.Layers)
        : name.EndsWith(".router.weight", StringComparison.Ordinal) || name == CausalConfig.NextTokenWeight ? Deviation * MathF.Sqrt(config.Width)
        : 1f;

    private static float FactorOf(string name, EncoderDecoderConfig config) =>
        name == TokenIdEmbedding.WordsName ? 1f / Deviation
        : name.EndsWith("relativePositions", StringComparison.Ordinal) ? 1f / (Deviation * MathF.Sqrt(config.Width))
        : name.EndsWith(".queries.weight", StringComparison.Ordinal) ? 1f / MathF.Sqrt(config.HeadWidth)
        : name.EndsWith(".router.weight", StringComparison.Ordinal) ? MathF.Sqrt(RouterScale)
        : 1f;
}
