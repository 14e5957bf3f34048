using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// Token Choice: every token takes the k experts with the largest P = softmax(logits); ties go to the lower expert number.
/// The weight is P, or P divided by its sum over the selected experts. Switch Transformers (Fedus et al. 2021) is k = 1 without
/// dividing, Mixtral k = 2 with.
/// </summary>
/// <param name="expertsPerToken">k, at least 1.</param>
/// <param name="normalizeWeights">Whether a token's weights are divided by their sum.</param>
public sealed class TokenChoice(int expertsPerToken, bool normalizeWeights) : RoutingPolicy
{
    /// <summary>k.</summary>
    public int ExpertsPerToken { get; } = expertsPerToken >= 1
        ? expertsPerToken
        : throw new ArgumentOutOfRangeException(nameof(expertsPerToken), expertsPerToken, "At least one expert for each token.");

    /// <inheritdoc/>
    public override bool RoutesSequencesApart => true;

    /// <summary>Whether padding gets no experts: it takes them only where a capacity lets it compete.</summary>
    internal bool MaskPadding { get; init; } = true;

    /// <inheritdoc/>
    internal override bool MasksPadding => MaskPadding;

    /// <summary>How pairs are weighted.</summary>
    internal CombineRule Weights { get; } =
        new(0f, normalizeWeights ? WeightNormalization.Selected : WeightNormalization.None);

    /// <inheritdoc/>
    public override RoutingPlan Route(ReadOnlySpan<float> logitsTE, int experts, SequenceLayout layout, bool training) =>
        PlanOfChosen(logitsTE, experts, layout, training);

    /// <inheritdoc/>
    internal override PlanTerms Choose(
        ReadOnlySpan<float> logitsTE, SequenceLayout layout, bool training, PairMatrix pairs, RoutingScratch scratch)
    {
        var experts = pairs.Experts;
        CheckFits(experts);
        for (var token = 0; token < layout.Tokens; token++)
        {
            if (MaskPadding && !layout.IsToken(token))
                continue;
            // softmax is monotonic: the largest logits are the largest probabilities
            var logitsE = logitsTE.Slice(token * experts, experts);
            var selectedE = pairs.Of(token);
            for (var rank = 0; rank < ExpertsPerToken; rank++)
            {
                var best = -1;
                for (var expert = 0; expert < experts; expert++)
                    if (!selectedE[expert] && (best < 0 || logitsE[expert] > logitsE[best]))
                        best = expert;
                selectedE[best] = true;
            }
        }

        return new PlanTerms(Weights);
    }

    /// <summary>Checks that there are as many experts as a token takes.</summary>
    internal void CheckFits(int experts) => ArgumentOutOfRangeException.ThrowIfGreaterThan(ExpertsPerToken, experts);
}
