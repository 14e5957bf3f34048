using Microsoft.ML.Moe.Routing;
using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// <see cref="TokenChoice"/> on the device: of each token the k experts with the largest scores, ties to the lower expert; by logits where
/// all scores are monotonic in them, else in double precision as on the host.
/// </summary>
internal static class TokenChoiceSelection
{
    public static Selection Of(
        TorchTape tape, torch.Tensor logitsTE, torch.Tensor? choiceBiasE, TokenChoice policy, SequenceLayout layout)
    {
        var (experts, k) = ((int)logitsTE.shape[1], policy.ExpertsPerToken);
        policy.CheckFits(experts);
        var rows = tape.Rows(layout);
        var isByLogit = choiceBiasE is null && policy.Groups is null;
        var choiceTE = isByLogit ? logitsTE : Choice(logitsTE, choiceBiasE, policy);
        var expertsTK = choiceTE.sort(1, descending: true, stable: true).Indices.narrow(1, 0, k);
        if (policy.SkipThreshold > 0)
            return Skip(logitsTE, expertsTK, rows, policy);
        if (rows.TokenCount < layout.Tokens)
            expertsTK = expertsTK.index_select(0, rows.Numbers);
        // Slot e·T + t.
        var slotsTK = expertsTK.mul(Scalars.Of((long)layout.Tokens)).Plus(rows.Numbers.unsqueeze(1));
        return new Selection(slotsTK.reshape((long)rows.TokenCount * k), layout.Tokens, experts, policy.Weights);
    }

    private static Selection Skip(torch.Tensor logitsTE, torch.Tensor expertsTK, TokenRows rows, TokenChoice policy)
    {
        var scoresTK = Scores(logitsTE, policy.ScoreFunction).gather(1, expertsTK);
        var isTakenTK = scoresTK.ge(scoresTK.amax([1], keepdim: true).mul(Scalars.Of(policy.SkipThreshold)));
        var isSelectedTE = torch.zeros(logitsTE.shape, torch.ScalarType.Bool, logitsTE.device).scatter_(1, expertsTK, isTakenTK);
        if (rows.IsTokenT is { } isTokenT)
            isSelectedTE = isSelectedTE.logical_and(isTokenT.unsqueeze(1));
        return new Selection(isSelectedTE, pairs: null, policy.Weights);
    }

    private static torch.Tensor Choice(torch.Tensor logitsTE, torch.Tensor? choiceBiasE, TokenChoice policy)
    {
        var choiceTE = Scores(logitsTE, policy.ScoreFunction);
        if (choiceBiasE is not null)
            choiceTE = choiceTE.Plus(choiceBiasE.to_type(torch.ScalarType.Float64));
        return policy.Groups is { } groups ? WithinGroups(choiceTE, groups) : choiceTE;
    }

    // As RouterScores.Of.
    private static torch.Tensor Scores(torch.Tensor logitsTE, ScoreFunction function) => function switch
    {
        ScoreFunction.Sigmoid => logitsTE.to_type(torch.ScalarType.Float64).neg().exp().Plus(1.0).reciprocal(),
        ScoreFunction.Relu => logitsTE.to_type(torch.ScalarType.Float64).relu(),
        _ => logitsTE.softmax(1, torch.ScalarType.Float64),
    };

    private static torch.Tensor WithinGroups(torch.Tensor choiceTE, ExpertGroups groups)
    {
        var size = choiceTE.shape[1] / groups.Count;
        var choiceTGS = choiceTE.reshape(choiceTE.shape[0], groups.Count, size);
        var largest = groups.Score == GroupScore.Largest ? 1 : (int)Math.Min(2, size);
        var scoreTG = choiceTGS.topk(largest, 2).values.sum(dim: 2);
        var isKeptTG = LargestScores.Of(scoreTG, 1, [Math.Min(groups.Kept, groups.Count)]);
        return choiceTGS.masked_fill(isKeptTG.unsqueeze(2).logical_not(), Scalars.Of(double.NegativeInfinity)).reshape(choiceTE.shape);
    }
}
