using Microsoft.ML.Moe.Routing;
using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// <see cref="Unified"/> on the device, in double precision as on the host:
/// <code>
/// P = softmax(l) over experts
/// Q = sigmoid(l)·2/N
/// U = alpha·Q + (1 − alpha)·P
/// selected = the c = ⌊T·k⌋ largest entries of U over a group's whole T×N matrix (ties: lower t·N + e)
/// </code>
/// </summary>
internal static class UnifiedSelection
{
    public static Selection Of(TorchTape tape, torch.Tensor logitsTE, Unified policy, SequenceLayout layout)
    {
        var experts = (int)logitsTE.shape[1];
        var groups = tape.Groups(layout, policy.Scope, policy.MaskPadding);
        var countG = Array.ConvertAll(groups.Sizes, tokens => policy.Count(tokens, experts));

        var scoresGLE = groups.Gather(Scores(logitsTE, policy.Alpha, experts));
        var isSelectedGN = LargestScores.Of(scoresGLE.reshape(groups.Count, (long)groups.Longest * experts), 1, countG);
        var isSelectedGLE = isSelectedGN.reshape(groups.Count, groups.Longest, experts);
        return new Selection(groups.Spread(isSelectedGLE), countG.Sum(), policy.Weights);
    }

    private static torch.Tensor Scores(torch.Tensor logitsTE, double alpha, int experts)
    {
        var pTE = logitsTE.softmax(1, torch.ScalarType.Float64);
        // Not sigmoid(): on the processor it rounds an array's last elements otherwise than the rest, and breaks ties.
        var onePlusExpTE = logitsTE.to_type(torch.ScalarType.Float64).neg().exp().Plus(1.0);
        var qTE = onePlusExpTE.reciprocal().mul(Scalars.Of(2.0 / experts));
        return qTE.mul(Scalars.Of(alpha)).Plus(pTE.mul(Scalars.Of(1.0 - alpha)));
    }
}
