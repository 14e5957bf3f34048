using Microsoft.ML.Moe.Routing;
using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// <see cref="GlobalWorkspace"/> on the device, by the paper's rule:
/// <code>
/// H = −Σ p·ln(p + 1e-5),  p = softmax(l)
/// H &lt; H*  : the inner policy's pairs
/// H ≥ H*  : all N experts
/// </code>
/// </summary>
internal static class GlobalWorkspaceSelection
{
    /// <summary>Sums of doubles are not the host's to the last digit, and a calibrated H* is one of the host's entropies itself.</summary>
    private const double Rounding = 1e-12;

    public static Selection Of(
        TorchTape tape, torch.Tensor logitsTE, GlobalWorkspace policy, Selection inner, SequenceLayout layout)
    {
        var rows = tape.Rows(layout);
        var isUncertainT = IsUncertain(logitsTE, policy.EntropyThreshold);
        if (rows.IsTokenT is { } isTokenT)
            isUncertainT = isUncertainT.logical_and(isTokenT);
        if (policy.MaxTokensPerSequence is { } most)
            isUncertainT = isUncertainT.logical_and(rows.NumberWithinSequence(isUncertainT).le(Scalars.Of((long)most)));
        var isSelectedTE = inner.IsSelectedTE.logical_or(isUncertainT.unsqueeze(1));
        return new Selection(isSelectedTE, pairs: null, inner.Weights, isUncertainT);
    }

    private static torch.Tensor IsUncertain(torch.Tensor logitsTE, double threshold)
    {
        var pTE = logitsTE.softmax(1, torch.ScalarType.Float64);
        var entropyT = pTE.mul(pTE.Plus(1e-5).log()).sum(dim: 1).neg();
        // 0 or less makes every token uncertain; a router that is sure has an entropy of −1e-5 by the formula.
        return entropyT.ge(Scalars.Of(threshold <= 0 ? double.NegativeInfinity : threshold - Rounding));
    }
}
