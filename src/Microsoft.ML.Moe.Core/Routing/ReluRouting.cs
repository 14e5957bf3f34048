using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// ReMoE (Wang et al. 2024, arXiv 2412.14711, section 3): a token goes to all experts with a positive logit, and the weight is the logit
/// itself, so that choice and weight are one continuous function, max(l, 0). How many experts that are is learned, held near k by
/// <see cref="ReluSparsity"/>.
/// </summary>
internal sealed class ReluRouting : RoutingPolicy
{
    /// <inheritdoc/>
    public override bool RoutesSequencesApart => true;

    /// <summary>How pairs are weighted.</summary>
    internal static CombineRule Weights { get; } = new(0f, WeightNormalization.None) { Score = ScoreFunction.Relu };

    /// <inheritdoc/>
    public override RoutingPlan Route(ReadOnlySpan<float> logitsTE, int experts, SequenceLayout layout, bool training) =>
        PlanOfChosen(logitsTE, [], experts, layout, training);

    /// <inheritdoc/>
    internal override PlanTerms Choose(
        ReadOnlySpan<float> logitsTE,
        ReadOnlySpan<float> choiceBiasE,
        SequenceLayout layout,
        bool training,
        PairMatrix pairs,
        RoutingScratch scratch)
    {
        for (var token = 0; token < layout.Tokens; token++)
        {
            if (!layout.IsToken(token))
                continue;
            var selectedE = pairs.Of(token);
            for (var expert = 0; expert < pairs.Experts; expert++)
                selectedE[expert] = logitsTE[token * pairs.Experts + expert] > 0f;
        }

        return new PlanTerms(Weights);
    }
}
