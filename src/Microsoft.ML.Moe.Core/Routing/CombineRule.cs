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
/// How a pair (t, e) is weighted: by the score U = alpha·Q + (1 − alpha)·P with P = softmax(logits) over experts and
/// Q = sigmoid(logits)·2/N (USMoE, arXiv 2503.22996), divided as <paramref name="Normalization"/> says. alpha = 0 is the softmax of
/// Token Choice and Expert Choice. Tokens that were broadcast are always weighted by P (GW-MoE, arXiv 2406.12375).
/// </summary>
/// <param name="Alpha">Share of the column view, within [0, 1].</param>
/// <param name="Normalization">What the score is divided by.</param>
public readonly record struct CombineRule(float Alpha, WeightNormalization Normalization);
