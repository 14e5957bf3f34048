using System.Buffers;
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
/// <param name="seed">Of the chance, which depends on nothing but this and the logits: the same batch gets the same plan. Default 0.</param>
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
        PlanOfChosen(logitsTE, experts, layout, training);

    /// <inheritdoc/>
    internal override PlanTerms Choose(ReadOnlySpan<float> logitsTE, SequenceLayout layout, bool training, PairMatrix pairs)
    {
        ArgumentNullException.ThrowIfNull(inner);
        var experts = pairs.Experts;
        var terms = inner.Choose(logitsTE, layout, training, pairs);
        var found = ArrayPool<bool>.Shared.Rent(layout.Tokens);
        var drawn = ArrayPool<int>.Shared.Rent(experts);
        var hashes = ArrayPool<ulong>.Shared.Rent(experts);
        new UncertainTokens(EntropyThreshold, null, tokens, seed).Find(logitsTE, experts, layout, found.AsSpan(0, layout.Tokens));
        for (var token = 0; token < layout.Tokens; token++)
        {
            if (!found[token] || pairs.Broadcast[token])
                continue;
            var hash = TokenHash.Of(logitsTE.Slice(token * experts, experts), seed);
            for (var expert = 0; expert < experts; expert++)
                (drawn[expert], hashes[expert]) = (expert, TokenHash.Of(hash, expert));
            Array.Sort(hashes, drawn, 0, experts);
            var selectedE = pairs.Of(token);
            var count = selectedE.Count(true);
            selectedE.Clear();
            foreach (var expert in drawn.AsSpan(0, count))
                selectedE[expert] = true;
        }

        ArrayPool<bool>.Shared.Return(found);
        ArrayPool<int>.Shared.Return(drawn);
        ArrayPool<ulong>.Shared.Return(hashes);
        return terms;
    }
}
