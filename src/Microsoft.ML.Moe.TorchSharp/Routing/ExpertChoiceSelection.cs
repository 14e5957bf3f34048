using Microsoft.ML.Moe.Routing;
using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// <see cref="ExpertChoice"/> on the device: of each group every expert takes the ⌈T·k/N⌉ tokens with the largest softmax over experts,
/// ties to the earlier token.
/// </summary>
internal static class ExpertChoiceSelection
{
    public static Selection Of(TorchTape tape, torch.Tensor logitsTE, ExpertChoice policy, SequenceLayout layout)
    {
        var experts = (int)logitsTE.shape[1];
        var groups = tape.Groups(layout, policy.Scope, policy.MaskPadding);
        var capacityG = Array.ConvertAll(groups.Sizes, tokens => policy.Capacity(tokens, experts));
        var probabilitiesTE = logitsTE.softmax(1, torch.ScalarType.Float64);
        var isSelectedGLE = LargestScores.Of(groups.Gather(probabilitiesTE), 1, capacityG);
        return new Selection(groups.Spread(isSelectedGLE), capacityG.Sum() * experts, ExpertChoice.Weights);
    }
}
