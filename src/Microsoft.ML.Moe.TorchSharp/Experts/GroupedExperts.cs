using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// libtorch's grouped product: one launch for all experts, nothing multiplied in vain, and the host need not know how the pairs fall.
/// </summary>
internal static class GroupedExperts
{
    /// <returns>[P, D].</returns>
    public static torch.Tensor Run(torch.Tensor xTD, ExpertPairs pairs, ExpertTensors experts)
    {
        var endOfE = pairs.EndOfE.to_type(torch.ScalarType.Int32);
        torch.Tensor? isExpertPE = null;
        return experts.Apply(xTD.index_select(0, pairs.TokenOfPair), (xPI, weightEIO, biasEO) =>
        {
            var productPO = GroupedProduct.Run(xPI, weightEIO.Whole, endOfE);
            // As a product with ones and zeros: the gradient of a bias that is looked up would be summed pair by pair.
            return biasEO is { } bias ? productPO.addmm(isExpertPE ??= IsExpert(pairs, xPI.dtype), bias.Whole) : productPO;
        });
    }

    private static torch.Tensor IsExpert(ExpertPairs pairs, torch.ScalarType type)
    {
        var expertP1 = pairs.ExpertOfPair.unsqueeze(1);
        var ones = torch.ones([pairs.Count, 1], type, expertP1.device);
        return torch.zeros([pairs.Count, pairs.Experts], type, expertP1.device).scatter_(1, expertP1, ones);
    }
}
