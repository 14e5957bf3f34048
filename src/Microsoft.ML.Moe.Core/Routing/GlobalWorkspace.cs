using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// GW-MoE (arXiv 2406.12375): while fine-tuning, a token whose router is uncertain is sent to all experts,
/// <code>
/// H = −Σ p·ln(p + 1e-5),  p = softmax(l)
/// H &lt; H*  : the inner policy's pairs
/// H ≥ H*  : y = Σ over all N experts of p_i·E_i(x)
/// </code>
/// so that whichever expert the token meets at inference knows it. At inference the plan is the inner policy's, untouched. The paper's
/// released code computes something else for a broadcast token: it writes p_i·x for one expert after the other, without applying the expert
/// and without summing, so that y = p_{N−1}·x remains: <see cref="GlobalWorkspaceRule.AsReleased"/>. Padding is never broadcast, unless the
/// inner policy lets it compete, as that code does.
/// </summary>
/// <param name="inner">
/// Routes the certain tokens, and all tokens at inference. It sees the uncertain ones too, so that a capacity or a competition within
/// it leaves the others what they would have had.
/// </param>
/// <param name="entropyThreshold">H*, in nats; ln N is the largest entropy, 0 or less makes every token uncertain.</param>
/// <param name="maxTokensPerSequence">
/// Only the first so many uncertain tokens of each sequence, by position, are broadcast; null for all. At least 0.
/// </param>
/// <param name="tokens">Which tokens are broadcast: the uncertain ones, or as many of each sequence at random.</param>
/// <param name="seed">
/// Seed of the random tokens, which depend on nothing but it and the logits. Default 0.
/// </param>
public sealed class GlobalWorkspace(
    RoutingPolicy inner,
    double entropyThreshold,
    int? maxTokensPerSequence = null,
    GlobalWorkspaceTokens tokens = GlobalWorkspaceTokens.Uncertain,
    int seed = 0) : RoutingPolicy
{
    /// <summary>
    /// The paper's settings for classification as text (GLUE): 1.6 nats, 8 uncertain tokens of a source and 1 of a target. For mixtures of 8
    /// experts; in others choose a share of the maximum.
    /// </summary>
    public static GlobalWorkspaceSettings Glue { get; } = OfPaper(1.6, 8, 1);

    /// <summary>
    /// The paper's settings for summaries: 1.8 nats, 32 uncertain tokens of a source and 8 of a target; see <see cref="Glue"/>.
    /// </summary>
    public static GlobalWorkspaceSettings Summarisation { get; } = OfPaper(1.8, 32, 8);

    /// <summary>
    /// The paper's settings for answers to questions: 1.8 nats, 16 uncertain tokens of a source and 2 of a target; see <see cref="Glue"/>.
    /// </summary>
    public static GlobalWorkspaceSettings QuestionAnswering { get; } = OfPaper(1.8, 16, 2);

    /// <summary>H*, in nats.</summary>
    public double EntropyThreshold { get; } = double.IsNaN(entropyThreshold)
        ? throw new ArgumentOutOfRangeException(nameof(entropyThreshold), entropyThreshold, "The threshold is a number.")
        : entropyThreshold;

    /// <summary>Uncertain tokens of each sequence that are broadcast at most; null for all.</summary>
    public int? MaxTokensPerSequence { get; } = maxTokensPerSequence is < 0
        ? throw new ArgumentOutOfRangeException(nameof(maxTokensPerSequence), maxTokensPerSequence, "At least 0.")
        : maxTokensPerSequence;

    /// <summary>What a broadcast token gives. Default <see cref="GlobalWorkspaceRule.Paper"/>.</summary>
    public GlobalWorkspaceRule Rule
    {
        get;
        init => field = Enum.IsDefined(value)
            ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, "Neither the paper's rule nor that of the released code.");
    }

    /// <summary>Which tokens are broadcast.</summary>
    public GlobalWorkspaceTokens Tokens => tokens;

    /// <inheritdoc/>
    public override bool RoutesSequencesApart => inner.RoutesSequencesApart;

    /// <summary>Routes the certain tokens.</summary>
    internal RoutingPolicy Inner => inner;

    /// <inheritdoc/>
    internal override bool MasksPadding => inner.MasksPadding;

    /// <inheritdoc/>
    public override RoutingPlan Route(ReadOnlySpan<float> logitsTE, int experts, SequenceLayout layout, bool training) =>
        PlanOfChosen(logitsTE, [], experts, layout, training);

    /// <inheritdoc/>
    internal override RoutingPolicy After(RoutingHistory history)
    {
        var after = inner.After(history);
        return after == inner ? this : new GlobalWorkspace(after, EntropyThreshold, MaxTokensPerSequence, tokens, seed) { Rule = Rule };
    }

    /// <inheritdoc/>
    internal override int ScratchBytes(int tokens, int experts) =>
        Math.Max(inner.ScratchBytes(tokens, experts), RoutingScratch.BytesOf<bool>(tokens) + UncertainTokens.ScratchBytes(tokens));

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
        var terms = inner.Choose(logitsTE, choiceBiasE, layout, training, pairs, scratch);
        if (!training)
            return terms;

        var broadcast = scratch.Take<bool>(layout.Tokens);
        var uncertain = new UncertainTokens(EntropyThreshold, MaxTokensPerSequence, tokens, seed, MasksPadding);
        var found = uncertain.Find(logitsTE, pairs.Experts, layout, broadcast, scratch);
        for (var token = 0; found && token < layout.Tokens; token++)
        {
            pairs.Broadcast[token] = broadcast[token];
            if (!broadcast[token])
                continue;
            pairs.Of(token).Fill(Rule == GlobalWorkspaceRule.Paper);
        }

        return found ? terms with { HasBroadcast = true, PassesBroadcast = Rule == GlobalWorkspaceRule.AsReleased } : terms;
    }

    private static GlobalWorkspaceSettings OfPaper(double nats, int sourceTokens, int targetTokens) =>
        new(nats, EntropyUnit.Nats, sourceTokens) { MaxTokensPerDecoderSequence = targetTokens };
}
