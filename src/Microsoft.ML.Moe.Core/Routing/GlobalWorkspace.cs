using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// GW-MoE (arXiv 2406.12375): while fine-tuning, a token whose router is uncertain is sent to all experts,
/// <code>
/// H = −Σ p·ln(p + 1e-5),  p = softmax(l)
/// H &lt; H*  : the inner policy's pairs
/// H ≥ H*  : y = Σ over all N experts of p_i·E_i(x)
/// </code>
/// so that whichever expert the token meets at inference knows it. At inference the plan is the inner policy's, untouched.
/// </summary>
/// <param name="inner">Routes the certain tokens, and all tokens at inference.</param>
/// <param name="entropyThreshold">H*, in nats; ln N is the largest entropy, 0 or less makes every token uncertain.</param>
/// <param name="maxTokensPerSequence">
/// Only the first so many uncertain tokens of each sequence, by position, are broadcast; null for all. At least 0.
/// </param>
public sealed class GlobalWorkspace(RoutingPolicy inner, double entropyThreshold, int? maxTokensPerSequence = null) : RoutingPolicy
{
    /// <summary>H*, in nats.</summary>
    public double EntropyThreshold { get; } = double.IsNaN(entropyThreshold)
        ? throw new ArgumentOutOfRangeException(nameof(entropyThreshold), entropyThreshold, "The threshold is a number.")
        : entropyThreshold;

    /// <summary>Uncertain tokens of each sequence that are broadcast at most; null for all.</summary>
    public int? MaxTokensPerSequence { get; } = maxTokensPerSequence is < 0
        ? throw new ArgumentOutOfRangeException(nameof(maxTokensPerSequence), maxTokensPerSequence, "At least 0.")
        : maxTokensPerSequence;

    /// <inheritdoc/>
    public override RoutingPlan Route(ReadOnlySpan<float> logitsTE, int experts, SequenceLayout layout, bool training)
    {
        ArgumentNullException.ThrowIfNull(inner);
        ArgumentNullException.ThrowIfNull(layout);
        var plan = inner.Route(logitsTE, experts, layout, training);
        if (!training)
            return plan;

        var broadcast = UncertainTokens(logitsTE, experts, layout);
        var selected = new bool[layout.Tokens * experts];
        for (var expert = 0; expert < experts; expert++)
            foreach (var token in plan.TokensOf(expert))
                selected[token * experts + expert] = true;
        for (var token = 0; token < layout.Tokens; token++)
            if (broadcast[token])
                selected.AsSpan(token * experts, experts).Fill(true);
        return PairList.From(selected, experts).ToPlan(layout.Tokens, plan.Weights, broadcast);
    }

    private bool[] UncertainTokens(ReadOnlySpan<float> logitsTE, int experts, SequenceLayout layout)
    {
        var uncertain = new bool[layout.Tokens];
        for (var sequence = 0; sequence < layout.Sequences; sequence++)
        {
            var slots = MaxTokensPerSequence ?? int.MaxValue;
            for (var token = layout.Offsets[sequence]; token < layout.Offsets[sequence + 1] && slots > 0; token++)
            {
                if (!layout.IsToken(token) || !(RouterEntropy.Of(logitsTE.Slice(token * experts, experts)) >= EntropyThreshold))
                    continue;
                uncertain[token] = true;
                slots--;
            }
        }

        return uncertain;
    }
}
