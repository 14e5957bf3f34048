using Microsoft.ML.Moe.Routing;
using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary><see cref="TokenChoice"/> on the device: of each token the k experts with the largest logits, ties to the lower expert.</summary>
internal static class TokenChoiceSelection
{
    public static Selection Of(TorchTape tape, torch.Tensor logitsTE, TokenChoice policy, SequenceLayout layout)
    {
        var (experts, k) = ((int)logitsTE.shape[1], policy.ExpertsPerToken);
        policy.CheckFits(experts);
        var rows = tape.Rows(layout);
        var isSelectedTE = LargestScores.Of(logitsTE, 1, [k]);
        if (rows.IsTokenT is { } isTokenT)
            isSelectedTE = isSelectedTE.logical_and(isTokenT.unsqueeze(1));
        return new Selection(isSelectedTE, rows.TokenCount * k, policy.Weights);
    }
}
