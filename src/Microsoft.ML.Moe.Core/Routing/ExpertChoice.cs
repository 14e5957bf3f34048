using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// Expert Choice (Zhou et al. 2022): within each group of T tokens every expert takes its ⌈T·k/N⌉ tokens with the largest
/// P = softmax(logits) over experts; ties go to the earlier token. The weight is P.
/// </summary>
/// <param name="expertsPerToken">k on average, over 0; may be fractional.</param>
/// <param name="scope">Which tokens form a group.</param>
/// <param name="maskPadding">Whether padding stays out.</param>
public sealed class ExpertChoice(double expertsPerToken, RoutingScope scope = RoutingScope.Sequence, bool maskPadding = true) : RoutingPolicy
{
    /// <summary>k.</summary>
    public double ExpertsPerToken { get; } = Budget.Check(expertsPerToken);

    /// <inheritdoc/>
    public override RoutingPlan Route(ReadOnlySpan<float> logitsTE, int experts, SequenceLayout layout, bool training)
    {
        ArgumentNullException.ThrowIfNull(layout);
        var probabilitiesTE = new double[layout.Tokens * experts];
        for (var token = 0; token < layout.Tokens; token++)
            RouterScores.Softmax(logitsTE.Slice(token * experts, experts), probabilitiesTE.AsSpan(token * experts, experts));

        var taken = new bool[layout.Tokens * experts];
        foreach (var group in RoutingGroups.Of(layout, scope, maskPadding))
        {
            var capacity = (int)Math.Min(group.Length, Math.Ceiling(Budget.Of(group.Length, ExpertsPerToken) / experts));
            for (var expert = 0; expert < experts; expert++)
                foreach (var token in group.OrderByDescending(t => probabilitiesTE[t * experts + expert]).Take(capacity))
                    taken[token * experts + expert] = true;
        }

        return PairList.From(taken, experts).ToPlan(layout.Tokens, new CombineRule(0f, WeightNormalization.None));
    }
}
