using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// USMoE (arXiv 2503.22996, section 3): tokens and experts choose each other by one score over the whole T×N matrix of a group,
/// <code>
/// P = softmax(l) over experts           the token's view
/// Q = sigmoid(l)·2/N                    the expert's view
/// U = alpha·Q + (1 − alpha)·P
/// selected = the c = ⌊T·k⌋ largest entries of U (ties: lower t·N + e)
/// y_t = Σ over selected (t, e) of U[t, e]·E_e(h_t)
/// </code>
/// Within <see cref="RoutingScope.Prefix"/>, for causal models, (t, e) is selected when U[t, e] is among the ⌊(t + 1)·k⌋ largest entries of
/// rows 0…t. k may be fractional. A token may get 0…N experts; with none its output is exactly 0. The weights are the scores themselves, or
/// divided as <paramref name="normalization"/> says.
/// </summary>
/// <param name="expertsPerToken">k on average, over 0.</param>
/// <param name="alpha">Share of the expert's view, within [0, 1]; 0.5 in the paper's code, 0.3–0.7 work best.</param>
/// <param name="scope">Which tokens form a group.</param>
/// <param name="normalization">
/// What weights are divided by. <see cref="WeightNormalization.All"/> is the paper's code; where this takes the place of a router whose
/// weights were normalised, without training, <see cref="WeightNormalization.Selected"/> keeps the layer's scale.
/// </param>
/// <param name="maskPadding">Whether padding stays out; the paper's code lets it compete.</param>
public sealed class Unified(
    double expertsPerToken,
    double alpha = 0.5,
    RoutingScope scope = RoutingScope.Sequence,
    WeightNormalization normalization = WeightNormalization.None,
    bool maskPadding = true) : RoutingPolicy
{
    /// <summary>k.</summary>
    public double ExpertsPerToken { get; } = Budget.Check(expertsPerToken);

    /// <summary>Share of the expert's view.</summary>
    public double Alpha { get; } = alpha is >= 0 and <= 1
        ? alpha
        : throw new ArgumentOutOfRangeException(nameof(alpha), alpha, "alpha lies between 0 and 1.");

    /// <inheritdoc/>
    public override bool RoutesSequencesApart => scope == RoutingScope.Sequence || (scope == RoutingScope.Prefix && History is null);

    /// <summary>Which tokens form a group.</summary>
    internal RoutingScope Scope { get; } = OptionCheck.Defined(scope, nameof(scope));

    /// <summary>What the tokens of <see cref="RoutingScope.Prefix"/> go on from; null where sequences begin.</summary>
    private RoutingHistory? History { get; init; }

    /// <summary>Whether padding stays out.</summary>
    internal bool MaskPadding => maskPadding;

    /// <summary>How pairs are weighted.</summary>
    internal CombineRule Weights => new((float)Alpha, normalization);

    /// <inheritdoc/>
    internal override bool MasksPadding => maskPadding;

    /// <inheritdoc/>
    public override RoutingPlan Route(ReadOnlySpan<float> logitsTE, int experts, SequenceLayout layout, bool training) =>
        PlanOfChosen(logitsTE, [], experts, layout, training);

    /// <inheritdoc/>
    internal override RoutingPolicy After(RoutingHistory history) => scope == RoutingScope.Prefix
        ? new Unified(ExpertsPerToken, Alpha, scope, normalization, maskPadding) { History = history }
        : this;

    /// <inheritdoc/>
    internal override int ScratchBytes(int tokens, int experts) => scope == RoutingScope.Prefix
        ? RoutingScratch.BytesOf<double>(experts) + RoutingScratch.BytesOf<PrefixEntry>(tokens * experts)
        : RoutingGroups.ScratchBytes(tokens) + 2 * RoutingScratch.BytesOf<double>(tokens * experts);

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
        if (scope == RoutingScope.Prefix)
            return ChooseOfPrefixes(logitsTE, layout, pairs, scratch);
        var scoresTE = scratch.Take<double>(layout.Tokens * experts);
        for (var token = 0; token < layout.Tokens; token++)
            RouterScores.Unified(logitsTE.Slice(token * experts, experts), Alpha, scoresTE.Slice(token * experts, experts));

        var groups = RoutingGroups.Of(layout, scope, maskPadding, ref scratch);
        var scoresOfGroup = scratch.Take<double>(layout.Tokens * experts);
        for (var i = 0; i < groups.Count; i++)
        {
            var group = groups[i];
            var count = Count(group.Length, experts);
            for (var row = 0; row < group.Length; row++)
                scoresTE.Slice(group[row] * experts, experts).CopyTo(scoresOfGroup[(row * experts)..]);
            var cut = ScoreCut.Of(scoresOfGroup[..(group.Length * experts)], count);
            foreach (var token in group)
                cut.Take(scoresTE.Slice(token * experts, experts), pairs.Of(token));
        }

        return new PlanTerms(Weights);
    }

    private PlanTerms ChooseOfPrefixes(ReadOnlySpan<float> logitsTE, SequenceLayout layout, PairMatrix pairs, RoutingScratch scratch)
    {
        if (History is not null && History.Sequences != layout.Sequences)
            throw new ArgumentException($"The history has {History.Sequences} sequences, not {layout.Sequences}.", nameof(layout));
        var experts = pairs.Experts;
        var scoresE = scratch.Take<double>(experts);
        var memory = scratch.Take<PrefixEntry>(History is null ? layout.Tokens * experts : 0);
        for (var sequence = 0; sequence < layout.Sequences; sequence++)
        {
            var cut = new PrefixCut(memory, 0, 0);
            var row = 0;
            for (var token = layout.Offsets[sequence]; token < layout.Offsets[sequence + 1]; token++)
            {
                if (maskPadding && !layout.IsToken(token))
                    continue;
                RouterScores.Unified(logitsTE.Slice(token * experts, experts), Alpha, scoresE);
                if (History is null)
                    cut.Add(row, scoresE, Count(row + 1, experts), pairs.Of(token));
                else
                    History[sequence].Add(scoresE, Count(History[sequence].Length + 1, experts), pairs.Of(token));
                row++;
            }
        }

        return new PlanTerms(Weights);
    }

    /// <summary>Pairs of a group: c = ⌊T·k⌋, or all.</summary>
    internal int Count(int tokens, int experts) => (int)Math.Min(tokens * (long)experts, Math.Floor(Budget.Of(tokens, ExpertsPerToken)));
}
