using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// One batched product for all experts, each with S rows, its pairs and then padding. A few launches, however many experts; worth it
/// where the padding costs less than launches do.
/// </summary>
internal static class PaddedExperts
{
    /// <summary>S is the most pairs that an expert has, which the host has to know.</summary>
    /// <returns>[P, D].</returns>
    public static torch.Tensor ToBusiest(torch.Tensor xTD, ExpertPairs pairs, ExpertTensors experts)
    {
        var rows = pairs.Rows().Max();
        var slotOfPair = pairs.ExpertOfPair.mul(Scalars.Of((long)rows)).Plus(pairs.NumberWithinExpert());
        // What stands in a slot without a pair is never looked at.
        var tokenOfSlot = torch.zeros([(long)experts.Count * rows], torch.ScalarType.Int64, xTD.device)
            .scatter_(0, slotOfPair, pairs.TokenOfPair);
        return Run(xTD.index_select(0, tokenOfSlot).reshape(experts.Count, rows, experts.Width), slotOfPair, experts);
    }

    /// <summary>S is the number of tokens, none of which an expert has twice: for a few tokens, without asking how the pairs fall.</summary>
    /// <returns>[P, D].</returns>
    public static torch.Tensor ToTokens(torch.Tensor xTD, ExpertPairs pairs, ExpertTensors experts)
    {
        var tokens = xTD.shape[0];
        return Run(xTD.unsqueeze(0).expand(experts.Count, tokens, experts.Width), pairs.SlotOfPair, experts);
    }

    private static torch.Tensor Run(torch.Tensor xESD, torch.Tensor slotOfPair, ExpertTensors experts)
    {
        var outESD = experts.Apply(xESD, (xESI, weightEIO, biasEO) =>
            biasEO is { } bias ? xESI.bmm(weightEIO.Whole).Plus(bias.Whole.unsqueeze(1)) : xESI.bmm(weightEIO.Whole));
        return outESD.reshape(xESD.shape[0] * xESD.shape[1], experts.Width).index_select(0, slotOfPair);
    }
}
