using Microsoft.ML.Moe.Routing;
using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// The pairs' weights as a function of the logits: U = alpha·Q + (1 − alpha)·P with P = softmax(l) and Q = sigmoid(l)·2/N, divided
/// as the plan's rule says; P for a token that was broadcast. Where the sum to divide by is 0 the weight is 0.
/// </summary>
internal static class CombineWeightsOperation
{
    public static TorchTensor Forward(TorchTape tape, TorchTensor logitsTE, RoutingPlan plan)
    {
        return tape.Run(() =>
        {
            var pairs = tape.Pairs(plan);
            var probabilitiesTE = logitsTE.Value.softmax(1);
            var scoresTE = Scores(logitsTE.Value, probabilitiesTE, plan);
            var weightsP = Divide(tape, OfPairs(scoresTE, pairs), scoresTE, plan);
            return pairs.IsBroadcastP is null
                ? weightsP
                : torch.where(pairs.IsBroadcastP, OfPairs(probabilitiesTE, pairs), weightsP);
        });
    }

    private static torch.Tensor Scores(torch.Tensor logitsTE, torch.Tensor probabilitiesTE, RoutingPlan plan)
    {
        var alpha = plan.Weights.Alpha;
        return alpha == 0f
            ? probabilitiesTE
            : logitsTE.sigmoid().mul(Scalars.Of(alpha * 2f / plan.Experts)).add(probabilitiesTE.mul(Scalars.Of(1f - alpha)));
    }

    private static torch.Tensor OfPairs(torch.Tensor valuesTE, ExpertPairs pairs) =>
        valuesTE.reshape(valuesTE.NumberOfElements).index_select(0, pairs.EntryOfPair);

    private static torch.Tensor Divide(TorchTape tape, torch.Tensor scoresP, torch.Tensor scoresTE, RoutingPlan plan)
    {
        if (plan.Weights.Normalization == WeightNormalization.None)
            return scoresP;
        var tokenOfPair = tape.Pairs(plan).TokenOfPair;
        var sumsT = plan.Weights.Normalization == WeightNormalization.All
            ? scoresTE.sum(dim: 1)
            : torch.zeros([plan.Tokens], device: tape.Device).index_add(0, tokenOfPair, scoresP, Scalars.Of(1f));
        var sumsP = sumsT.index_select(0, tokenOfPair);
        return scoresP.div(sumsP.masked_fill(sumsP.eq(Scalars.Of(0f)), Scalars.Of(1f)));
    }
}
