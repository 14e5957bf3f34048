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
    public override bool RoutesSequencesApart => scope == RoutingScope.Sequence;

    /// <summary>Which tokens form a group.</summary>
    internal RoutingScope Scope { get; } = RoutingGroups.CheckScope(scope);

    /// <summary>Whether padding stays out.</summary>
    internal bool MaskPadding => maskPadding;

    /// <summary>How pairs are weighted.</summary>
    internal static CombineRule Weights { get; } = new(0f, WeightNormalization.None);

    /// <inheritdoc/>
    internal override bool MasksPadding => maskPadding;

    /// <inheritdoc/>
    public override RoutingPlan Route(ReadOnlySpan<float> logitsTE, int experts, SequenceLayout layout, bool training) =>
        PlanOfChosen(logitsTE, [], experts, layout, training);

    /// <inheritdoc/>
    internal override int ScratchBytes(int tokens, int experts) =>
        RoutingGroups.ScratchBytes(tokens) + RoutingScratch.BytesOf<double>(tokens * experts) + RoutingScratch.BytesOf<double>(tokens);

    /// <inheritdoc/>
    internal override PlanTerms Choose(
        ReadOnlySpan<float> logitsTE,
        ReadOnlySpan<float> choiceBiasE,
        SequenceLayout layout,
        bool training,
        PairMatrix pairs,
        RoutingScratch scratch)
    {
        var experts = pairs.Experts;
        var probabilitiesTE = scratch.Take<double>(layout.Tokens * experts);
        for (var token = 0; token < layout.Tokens; token++)
            RouterScores.Softmax(logitsTE.Slice(token * experts, experts), probabilitiesTE.Slice(token * experts, experts));

        var groups = RoutingGroups.Of(layout, scope, maskPadding, ref scratch);
        var columnT = scratch.Take<double>(layout.Tokens);
        for (var i = 0; i < groups.Count; i++)
        {
            var group = groups[i];
            var capacity = Capacity(group.Length, experts);
            for (var expert = 0; expert < experts; expert++)
            {
                for (var row = 0; row < group.Length; row++)
                    columnT[row] = probabilitiesTE[group[row] * experts + expert];
                var cut = ScoreCut.Of(columnT[..group.Length], capacity);
                foreach (var token in group)
                    pairs.Of(token)[expert] = cut.Takes(probabilitiesTE[token * experts + expert]);
            }
        }

        return new PlanTerms(Weights);
    }

    /// <summary>Tokens that each expert takes of a group: ⌈T·k/N⌉, or all.</summary>
    internal int Capacity(int tokens, int experts) => (int)Math.Min(tokens, Math.Ceiling(Budget.Of(tokens, ExpertsPerToken) / experts));
}
