using Microsoft.ML.Moe.Routing;
using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// The pairs' weights as a function of the logits: U of <see cref="PairScores"/>, divided as the plan's rule says; softmax(l) for a token that
/// was broadcast. Where the sum to divide by is 0 the weight is 0.
/// </summary>
internal static class CombineWeightsOperation
{
    public static TorchTensor Forward(TorchTape tape, TorchTensor logitsTE, RoutingPlan plan)
    {
        return tape.Run(() =>
        {
            var pairs = tape.Pairs(plan);
            var scoresTE = Scores(logitsTE.Value, plan.Weights);
            var weightsP = Divide(tape, OfPairs(scoresTE, pairs), scoresTE, plan);
            return pairs.IsBroadcastP is null
                ? weightsP
                : torch.where(pairs.IsBroadcastP, OfPairs(logitsTE.Value.softmax(1), pairs), weightsP);
        });
    }

    private static torch.Tensor Scores(torch.Tensor logitsTE, CombineRule rule) => rule.Score switch
    {
        ScoreFunction.Sigmoid => logitsTE.sigmoid(),
        ScoreFunction.Relu => logitsTE.relu(),
        ScoreFunction.SparseMixer => SparseMixer(logitsTE, rule.Tolerance),
        _ => Unified(logitsTE, rule.Alpha),
    };

    private static torch.Tensor Unified(torch.Tensor logitsTE, float alpha)
    {
        var probabilitiesTE = logitsTE.softmax(1);
        return alpha == 0f
            ? probabilitiesTE
            : logitsTE.sigmoid().mul(Scalars.Of(alpha * 2f / logitsTE.shape[1])).Plus(probabilitiesTE.mul(Scalars.Of(1f - alpha)));
    }

    // For each expert e a softmax of its own over those beside it: [T, e, i].
    private static torch.Tensor SparseMixer(torch.Tensor logitsTE, float tolerance)
    {
        var experts = logitsTE.shape[1];
        var (own, other) = (logitsTE.detach().unsqueeze(2), logitsTE.detach().unsqueeze(1));
        var isLower = torch.ones([experts, experts], torch.ScalarType.Bool, logitsTE.device).tril(-1);
        var isAway = other.gt(own).logical_or(other.eq(own).logical_and(isLower))
            .logical_or(own.sub(other).div(torch.maximum(other.abs(), own)).gt(Scalars.Of(tolerance)));
        var beside = logitsTE.unsqueeze(1).expand(logitsTE.shape[0], experts, experts);
        return beside.masked_fill(isAway, Scalars.Of(float.NegativeInfinity)).softmax(2).diagonal(0, 1, 2);
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
        if (plan.Weights.SmallestSum > 0f)
            return scoresP.div(sumsP.clamp_min(Scalars.Of(plan.Weights.SmallestSum)));
        return scoresP.div(sumsP.masked_fill(sumsP.eq(Scalars.Of(0f)), Scalars.Of(1f)));
    }
}
