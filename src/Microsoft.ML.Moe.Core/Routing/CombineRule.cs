namespace Microsoft.ML.Moe.Routing;

/// <summary>What a pair's weight is divided by.</summary>
public enum WeightNormalization
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>The sum of the scores over the experts selected for the token (Mixtral, JetMoE).</summary>
    Selected,

    /// <summary>The sum of the scores over all experts (USMoE's normalised form).</summary>
    All,
}

/// <summary>
/// How a pair (t, e) is weighted: by a score U, divided as <paramref name="Normalization"/> says. U is what <see cref="Score"/> makes of the
/// token's logits. With <see cref="ScoreFunction.Softmax"/> U = alpha·Q + (1 − alpha)·P, P = softmax(logits) over experts and
/// Q = sigmoid(logits)·2/N (USMoE, arXiv 2503.22996); alpha = 0 is the softmax of Token Choice and Expert Choice. Tokens that were broadcast
/// are always weighted by P (GW-MoE, arXiv 2406.12375).
/// </summary>
/// <param name="Alpha">Share of the column view, within [0, 1]; of the softmax only.</param>
/// <param name="Normalization">What the score is divided by.</param>
public readonly record struct CombineRule(float Alpha, WeightNormalization Normalization)
{
    /// <summary>What is made of the logits. Default <see cref="ScoreFunction.Softmax"/>.</summary>
    public ScoreFunction Score { get; init; }

    /// <summary>
    /// Scores are divided by at least this, at least 0: 1e-20 in DeepSeek-V3, moe_norm_min in ERNIE 4.5. Default 0: a sum of 0 gives weights
    /// of 0.
    /// </summary>
    public float SmallestSum { get; init; }

    /// <summary>
    /// With <see cref="ScoreFunction.SparseMixer"/>, how far below an expert's logit l others still count beside it: those with
    /// (l − lᵢ)/max(|lᵢ|, l) of at most this.
    /// </summary>
    public float Tolerance { get; init; }
}
