namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// GW-MoE fine-tuning (arXiv 2406.12375) as plain data: which tokens <see cref="GlobalWorkspace"/> broadcasts to all experts while
/// training, and in which MoE layers. Prediction is never touched.
/// </summary>
/// <param name="Threshold">
/// H*: a token takes part when its router entropy is at least this. In <paramref name="Unit"/>; the paper's 1.6 and 1.8 nats are
/// shares of 0.77 and 0.87 of the maximum. <see cref="BlockThresholds"/> may say otherwise of a block.
/// </param>
/// <param name="Unit">Unit of <paramref name="Threshold"/>. Default <see cref="EntropyUnit.ShareOfMaximum"/>.</param>
/// <param name="MaxTokensPerSequence">
/// "Slots": only the first so many uncertain tokens of each sequence, by position, are broadcast, at least 0. Default null: all.
/// </param>
/// <param name="Blocks">Numbers, from 0, of the transformer blocks whose MoE layers take part. Default null: all that have one.</param>
/// <param name="Tokens">Which tokens are broadcast. Default <see cref="GlobalWorkspaceTokens.Uncertain"/>.</param>
public sealed record GlobalWorkspaceSettings(
    double Threshold,
    EntropyUnit Unit = EntropyUnit.ShareOfMaximum,
    int? MaxTokensPerSequence = null,
    IReadOnlyList<int>? Blocks = null,
    GlobalWorkspaceTokens Tokens = GlobalWorkspaceTokens.Uncertain)
{
    /// <summary>
    /// "Slots" of a decoder's sequences, where they are not those of <see cref="MaxTokensPerSequence"/>, at least 0: the paper has 8 and 1, 32
    /// and 8, 16 and 2. Default null: the same.
    /// </summary>
    public int? MaxTokensPerDecoderSequence { get; init; }

    /// <summary>
    /// H* of some blocks, by their numbers from 0, in place of <see cref="Threshold"/> and in its unit; a decoder's blocks count after the
    /// encoder's. Default null: <see cref="Threshold"/> holds in all.
    /// </summary>
    public IReadOnlyDictionary<int, double>? BlockThresholds { get; init; }

    /// <summary>What a broadcast token gives. Default <see cref="GlobalWorkspaceRule.Paper"/>.</summary>
    public GlobalWorkspaceRule Rule { get; init; }

    /// <summary>Checks the settings against a model.</summary>
    /// <param name="experts">Number of experts, N.</param>
    /// <param name="moeBlocks">
    /// Numbers of the blocks that have a MoE layer; null leaves <see cref="Blocks"/>, and the numbers in <see cref="BlockThresholds"/>, unchecked.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">A setting is impossible; the message names it.</exception>
    public void Check(int experts, IReadOnlyCollection<int>? moeBlocks = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(experts, 1);
        if (!Enum.IsDefined(Unit))
            throw OutOfRange(nameof(Unit), Unit, "not a unit of entropy.");
        if (!Enum.IsDefined(Tokens))
            throw OutOfRange(nameof(Tokens), Tokens, "neither the uncertain tokens nor random ones.");
        if (!Enum.IsDefined(Rule))
            throw OutOfRange(nameof(Rule), Rule, "neither the paper's rule nor that of the released code.");
        CheckThreshold(nameof(Threshold), Threshold);
        foreach (var (block, threshold) in BlockThresholds ?? new Dictionary<int, double>())
            CheckThreshold($"{nameof(BlockThresholds)}[{block}]", threshold);
        if (MaxTokensPerSequence is < 0)
            throw OutOfRange(nameof(MaxTokensPerSequence), MaxTokensPerSequence, "below 0; null means no limit.");
        if (MaxTokensPerDecoderSequence is < 0)
            throw OutOfRange(nameof(MaxTokensPerDecoderSequence), MaxTokensPerDecoderSequence, "below 0; null means as in the encoder.");
        foreach (var block in moeBlocks is null ? [] : Blocks ?? [])
        {
            if (!moeBlocks!.Contains(block))
                throw OutOfRange(nameof(Blocks), block, $"not a block with a MoE layer; these are {string.Join(", ", moeBlocks!)}.");
        }

        foreach (var block in BlockThresholds?.Keys ?? [])
        {
            if (moeBlocks?.Contains(block) == false)
                throw OutOfRange(nameof(BlockThresholds), block, $"not a block with a MoE layer; these are {string.Join(", ", moeBlocks)}.");
            if (Blocks?.Contains(block) == false)
                throw OutOfRange(nameof(BlockThresholds), block, $"a block that {nameof(Blocks)} leaves out: it needs no threshold.");
        }

        void CheckThreshold(string member, double threshold)
        {
            if (!double.IsFinite(threshold))
                throw OutOfRange(member, threshold, "not a finite number.");
            if (Unit != EntropyUnit.Nats && threshold is < 0 or > 1)
            {
                throw OutOfRange(
                    member,
                    threshold,
                    $"not within [0, 1], as {nameof(Unit)} = {Unit} asks. For nats, at most ln {experts} = {Math.Log(experts):F3}, "
                    + $"set {nameof(Unit)} to {EntropyUnit.Nats}.");
            }
        }

        static ArgumentOutOfRangeException OutOfRange(string member, object value, string problem) =>
            new(member, value, $"{nameof(GlobalWorkspaceSettings)}.{member} is {problem}");
    }

    /// <summary>H* of a block, in <see cref="Unit"/>.</summary>
    /// <param name="block">Number of the block, from 0.</param>
    internal double ThresholdOf(int block) => BlockThresholds is { } own && own.TryGetValue(block, out var threshold) ? threshold : Threshold;

    /// <summary>The policy to train a block's MoE layer with.</summary>
    /// <param name="inner">The layer's own.</param>
    /// <param name="block">Number of the block, from 0.</param>
    /// <param name="experts">Number of experts, N.</param>
    /// <param name="calibratedNats">H* that <see cref="EntropyCalibration"/> found for the block; for other units it is not used.</param>
    /// <param name="isDecoder">Whether it is a decoder's block.</param>
    /// <returns>A workspace over <paramref name="inner"/>, or itself for a block that does not take part.</returns>
    internal RoutingPolicy Apply(RoutingPolicy inner, int block, int experts, double? calibratedNats = null, bool isDecoder = false)
    {
        if (Blocks is not null && !Blocks.Contains(block))
            return inner;
        var nats = Unit switch
        {
            EntropyUnit.Nats => ThresholdOf(block),
            EntropyUnit.ShareOfMaximum => ThresholdOf(block) * Math.Log(experts),
            _ => calibratedNats ?? throw new ArgumentNullException(nameof(calibratedNats), "A share of tokens has to be calibrated first."),
        };
        var slots = isDecoder ? MaxTokensPerDecoderSequence ?? MaxTokensPerSequence : MaxTokensPerSequence;
        return new GlobalWorkspace(inner, nats, slots, Tokens) { Rule = Rule };
    }
}

/// <summary>In what a threshold of router entropy is given.</summary>
public enum EntropyUnit
{
    /// <summary>Nats, as in the paper: 1.6 and 1.8 for 8 experts, whose largest entropy is ln 8 = 2.079.</summary>
    Nats,

    /// <summary>Share of the largest entropy, ln N, within [0, 1]: means the same for any number of experts.</summary>
    ShareOfMaximum,

    /// <summary>Share of the tokens that are to be uncertain, within [0, 1]; calibrated on training data, for each layer.</summary>
    ShareOfTokens,
}

/// <summary>What a token gives that GW-MoE broadcasts.</summary>
public enum GlobalWorkspaceRule
{
    /// <summary>The sum over all experts, Σ pᵢ·Eᵢ(x): the paper's equation.</summary>
    Paper,

    /// <summary>
    /// p_{N−1}·x, the token's own vector times the router's probability of the last expert: what the released code computes, for comparisons
    /// with its numbers. No expert learns of the token.
    /// </summary>
    AsReleased,
}

/// <summary>Which tokens are treated apart.</summary>
public enum GlobalWorkspaceTokens
{
    /// <summary>Those whose router entropy reaches the threshold.</summary>
    Uncertain,

    /// <summary>
    /// As many of each sequence, drawn at random: the control arm, which tells whether uncertainty matters at all. Number and draw are of the
    /// whole sequence, so that while a model that writes is trained later tokens decide which earlier ones are sent to all experts; with
    /// <see cref="Uncertain"/> they do not.
    /// </summary>
    Random,
}
