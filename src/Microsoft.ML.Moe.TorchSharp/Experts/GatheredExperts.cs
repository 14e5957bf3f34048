using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// A copy of its expert's weights for every pair, then one batched product of rows with matrices: for one or a few tokens, which leave
/// most experts alone.
/// </summary>
internal static class GatheredExperts
{
    /// <returns>[P, D].</returns>
    public static torch.Tensor Run(torch.Tensor xTD, ExpertPairs pairs, ExpertTensors experts)
    {
        var outP1D = experts.Apply(xTD.index_select(0, pairs.TokenOfPair).unsqueeze(1), (xP1I, weightEIO, biasEO) =>
        {
            var productP1O = xP1I.bmm(weightEIO.Of(pairs.ExpertOfPair));
            return biasEO is { } bias ? productP1O.Plus(bias.Of(pairs.ExpertOfPair).unsqueeze(1)) : productP1O;
        });
        return outP1D.squeeze(1);
    }
}
