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
        var expertsTK = logitsTE.sort(1, descending: true, stable: true).Indices.narrow(1, 0, k);
        if (rows.TokenCount < layout.Tokens)
            expertsTK = expertsTK.index_select(0, rows.Numbers);
        // Slot e·T + t.
        var slotsTK = expertsTK.mul(Scalars.Of((long)layout.Tokens)).add(rows.Numbers.unsqueeze(1));
        return new Selection(slotsTK.reshape((long)rows.TokenCount * k), layout.Tokens, experts, policy.Weights);
    }
}
