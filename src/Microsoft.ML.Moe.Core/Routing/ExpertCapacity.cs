using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// Expert capacity (Lepikhin et al. 2020, "GShard"; Fedus et al. 2021, "Switch Transformers", section 2.2) over any policy: within each
/// group of tokens an expert takes at most so many; the pairs beyond are dropped. A token that loses all its pairs gets 0: the residual
/// carries it (or what <see cref="Routing.DroppedTokens"/> says otherwise). What is left is weighted by the inner policy's rule, so that
/// weights that are divided by the sum over the selected experts are divided by the sum over those that are left.
/// </summary>
public sealed class ExpertCapacity : RoutingPolicy
{
    /// <summary>Larger factors say nothing: no model has that many experts.</summary>
    internal const double LargestFactor = 1e6;

    private readonly RoutingPolicy _inner;
    private readonly Func<int, int, int> _capacityOf;
    private readonly RoutingScope _scope;
    private readonly CapacityPriority _priority;
    private readonly bool _maskPadding;

    private ExpertCapacity(
        RoutingPolicy inner, Func<int, int, int> capacityOf, RoutingScope scope, CapacityPriority priority, bool maskPadding)
    {
        ArgumentNullException.ThrowIfNull(inner);
        RoutingGroups.CheckScope(scope);
        if (!Enum.IsDefined(priority))
            throw new ArgumentOutOfRangeException(nameof(priority), priority, "Not a priority.");
        _inner = inner;
        _capacityOf = capacityOf;
        _scope = scope;
        _priority = priority;
        _maskPadding = maskPadding;
    }

    /// <summary>A capacity that grows with the group: ⌈factor·T·k/N⌉ tokens for each expert.</summary>
    /// <param name="inner">Chooses the pairs.</param>
    /// <param name="factor">Multiple of what an even split would give each expert, over 0; 1.25 in Switch Transformers.</param>
    /// <param name="expertsPerToken">k of the inner policy, over 0.</param>
    /// <param name="scope">Which tokens form a group.</param>
    /// <param name="priority">Who keeps an expert that is full.</param>
    /// <param name="maskPadding">Whether padding is left out of T.</param>
    /// <param name="multipleOf">A number that capacities are rounded up to multiples of, at least 1; V-MoE's is 4. Default 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    public static ExpertCapacity FromFactor(
        RoutingPolicy inner,
        double factor,
        double expertsPerToken,
        RoutingScope scope = RoutingScope.Sequence,
        CapacityPriority priority = CapacityPriority.Position,
        bool maskPadding = true,
        int multipleOf = 1)
    {
        if (!(factor is > 0 and <= LargestFactor))
            throw new ArgumentOutOfRangeException(nameof(factor), factor, "The capacity factor is over 0.");
        Budget.Check(expertsPerToken);
        ArgumentOutOfRangeException.ThrowIfLessThan(multipleOf, 1);
        return new ExpertCapacity(inner, Capacity, scope, priority, maskPadding);

        int Capacity(int tokens, int experts) =>
            (int)Math.Min(tokens, Math.Ceiling(Math.Ceiling(Budget.Of(tokens, factor * expertsPerToken) / experts) / multipleOf) * multipleOf);
    }

    /// <summary>A capacity that is the same for every group.</summary>
    /// <param name="inner">Chooses the pairs.</param>
    /// <param name="tokens">Tokens that each expert takes at most, at least 0; GW-MoE's models have 64.</param>
    /// <param name="scope">Which tokens form a group.</param>
    /// <param name="priority">Who keeps an expert that is full.</param>
    /// <param name="maskPadding">Whether padding takes no expert.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    public static ExpertCapacity FromTokens(
        RoutingPolicy inner,
        int tokens,
        RoutingScope scope = RoutingScope.Sequence,
        CapacityPriority priority = CapacityPriority.Position,
        bool maskPadding = true)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(tokens);
        return new ExpertCapacity(inner, (_, _) => tokens, scope, priority, maskPadding);
    }

    /// <summary>Chooses the pairs.</summary>
    internal RoutingPolicy Inner => _inner;

    /// <summary>Which tokens form a group.</summary>
    internal RoutingScope Scope => _scope;

    /// <summary>Who keeps an expert that is full.</summary>
    internal CapacityPriority Priority => _priority;

    /// <summary>Tokens that an expert takes at most of a group.</summary>
    internal int CapacityOf(int tokens, int experts) => _capacityOf(tokens, experts);

    /// <summary>What a token gives that has lost all its pairs.</summary>
    internal DroppedTokens DroppedTokens { get; private init; }

    /// <summary>The same capacity with another rule for tokens that lose all their pairs.</summary>
    internal ExpertCapacity With(DroppedTokens droppedTokens) =>
        new(_inner, _capacityOf, _scope, _priority, _maskPadding) { DroppedTokens = droppedTokens };

    /// <inheritdoc/>
    public override bool RoutesSequencesApart => _scope == RoutingScope.Sequence && _inner.RoutesSequencesApart;

    /// <inheritdoc/>
    internal override bool MasksPadding => _maskPadding;

    /// <inheritdoc/>
    public override RoutingPlan Route(ReadOnlySpan<float> logitsTE, int experts, SequenceLayout layout, bool training) =>
        PlanOfChosen(logitsTE, [], experts, layout, training);

    /// <inheritdoc/>
    internal override RoutingPolicy After(RoutingHistory history)
    {
        var inner = _inner.After(history);
        return inner == _inner ? this : new ExpertCapacity(inner, _capacityOf, _scope, _priority, _maskPadding) { DroppedTokens = DroppedTokens };
    }

    /// <inheritdoc/>
    internal override int ScratchBytes(int tokens, int experts) =>
        Math.Max(
            _inner.ScratchBytes(tokens, experts),
            RoutingGroups.ScratchBytes(tokens) + RoutingScratch.BytesOf<int>(tokens) + 2 * RoutingScratch.BytesOf<double>(tokens));

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
        var terms = _inner.Choose(logitsTE, choiceBiasE, layout, training, pairs, scratch);
        // who is in no group keeps nothing
        for (var token = 0; _maskPadding && token < layout.Tokens; token++)
            if (!layout.IsToken(token))
                pairs.Of(token).Clear();
        var groups = RoutingGroups.Of(layout, _scope, _maskPadding, ref scratch);
        var candidates = scratch.Take<int>(layout.Tokens);
        var scores = scratch.Take<double>(layout.Tokens);
        var scoresToCut = scratch.Take<double>(layout.Tokens);
        var dropped = terms.DroppedPairs;
        for (var i = 0; i < groups.Count; i++)
        {
            var capacity = _capacityOf(groups[i].Length, experts);
            for (var expert = 0; expert < experts; expert++)
            {
                var count = 0;
                foreach (var token in groups[i])
                {
                    if (!pairs.Of(token)[expert])
                        continue;
                    candidates[count] = token;
                    scores[count++] = Claim(logitsTE.Slice(token * experts, experts), expert);
                }

                scores[..count].CopyTo(scoresToCut);
                var cut = ScoreCut.Of(scoresToCut[..count], capacity);
                for (var candidate = 0; candidate < count; candidate++)
                    pairs.Of(candidates[candidate])[expert] = cut.Takes(scores[candidate]);
                dropped += Math.Max(0, count - capacity);
            }
        }

        return terms with { DroppedPairs = dropped, PassesDropped = DroppedTokens == DroppedTokens.PassThrough };
    }

    /// <summary>What a token's claim to an expert is worth; where claims are equal the earlier token wins.</summary>
    private double Claim(ReadOnlySpan<float> logitsE, int expert)
    {
        switch (_priority)
        {
            case CapacityPriority.Position:
                return 0;
            case CapacityPriority.Score:
                return RouterScores.Probability(logitsE, expert);
        }

        var (ahead, largest) = (0, 0);
        for (var other = 0; other < logitsE.Length; other++)
        {
            ahead += logitsE[other] > logitsE[expert] || (logitsE[other] == logitsE[expert] && other < expert) ? 1 : 0;
            largest = logitsE[other] > logitsE[largest] ? other : largest;
        }

        // probabilities are at most 1: within a rank they decide, between ranks they do not
        return (_priority == CapacityPriority.BatchPriority ? RouterScores.Probability(logitsE, largest) : 0) - 2.0 * ahead;
    }
}
