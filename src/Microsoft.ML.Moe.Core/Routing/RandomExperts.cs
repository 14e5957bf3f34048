using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// The analysis of GW-MoE (arXiv 2406.12375, figure 1): tokens whose router is uncertain get experts drawn at random, when training and
/// when predicting. If they do no worse than with their own, the router had nothing to say about them; as many tokens at random are the
/// comparison.
/// </summary>
/// <param name="inner">Routes the other tokens, and says how many experts a token gets and how pairs are weighted.</param>
/// <param name="entropyThreshold">H*, in nats: a token is uncertain when its router entropy is at least this.</param>
/// <param name="tokens">Which tokens get random experts: the uncertain ones, or as many of each sequence at random.</param>
/// <param name="seed">Seed of the random experts, which depend on nothing but it and the logits: the same batch gets the same plan. Default 0.</param>
public sealed class RandomExperts(
    RoutingPolicy inner,
    double entropyThreshold,
    GlobalWorkspaceTokens tokens = GlobalWorkspaceTokens.Uncertain,
    int seed = 0) : RoutingPolicy
{
    /// <summary>H*, in nats.</summary>
    public double EntropyThreshold { get; } = double.IsNaN(entropyThreshold)
        ? throw new ArgumentOutOfRangeException(nameof(entropyThreshold), entropyThreshold, "The threshold is a number.")
        : entropyThreshold;

    /// <summary>Which tokens get random experts.</summary>
    public GlobalWorkspaceTokens Tokens => tokens;

    /// <inheritdoc/>
    public override bool RoutesSequencesApart => inner.RoutesSequencesApart;

    /// <inheritdoc/>
    public override RoutingPlan Route(ReadOnlySpan<float> logitsTE, int experts, SequenceLayout layout, bool training) =>
        PlanOfChosen(logitsTE, [], experts, layout, training);

    /// <inheritdoc/>
    internal override RoutingPolicy After(RoutingHistory history)
    {
        var after = inner.After(history);
        return after == inner ? this : new RandomExperts(after, EntropyThreshold, tokens, seed);
    }

    /// <inheritdoc/>
    internal override int ScratchBytes(int tokens, int experts) =>
        Math.Max(
            inner.ScratchBytes(tokens, experts),
            RoutingScratch.BytesOf<bool>(tokens) + UncertainTokens.ScratchBytes(tokens)
                + RoutingScratch.BytesOf<int>(experts) + RoutingScratch.BytesOf<ulong>(experts));

    /// <inheritdoc/>
    internal override PlanTerms Choose(
        ReadOnlySpan<float> logitsTE,
        ReadOnlySpan<float> choiceBiasE,
        SequenceLayout layout,
        bool training,
        PairMatrix pairs,
        RoutingScratch scratch)
    {
        ArgumentNullException.ThrowIfNull(inner);
        var experts = pairs.Experts;
        var terms = inner.Choose(logitsTE, choiceBiasE, layout, training, pairs, scratch);
        var found = scratch.Take<bool>(layout.Tokens);
        var drawn = scratch.Take<int>(experts);
        var hashes = scratch.Take<ulong>(experts);
        new UncertainTokens(EntropyThreshold, null, tokens, seed).Find(logitsTE, experts, layout, found, scratch);
        for (var token = 0; token < layout.Tokens; token++)
        {
            if (!found[token] || pairs.Broadcast[token])
                continue;
            var hash = TokenHash.Of(logitsTE.Slice(token * experts, experts), seed);
            for (var expert = 0; expert < experts; expert++)
                (drawn[expert], hashes[expert]) = (expert, TokenHash.Of(hash, expert));
            hashes.Sort(drawn);
            var selectedE = pairs.Of(token);
            var count = selectedE.Count(true);
            selectedE.Clear();
            foreach (var expert in drawn[..count])
                selectedE[expert] = true;
        }

        return terms;
    }
}
