using Microsoft.ML.Moe.Routing;
using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>Tokens times the sum of their pairs' weights.</summary>
internal static class CopyTokensOperation
{
    public static TorchTensor Forward(TorchTape tape, TorchTensor xTD, TorchTensor weightsP, RoutingPlan plan)
    {
        return tape.Run(() =>
        {
            var weightsT = torch.zeros([plan.Tokens], device: tape.Device)
                .index_add(0, tape.Pairs(plan).TokenOfPair, weightsP.Value, Scalars.Of(1f));
            return xTD.Value.mul(weightsT.unsqueeze(1));
        });
    }
}
