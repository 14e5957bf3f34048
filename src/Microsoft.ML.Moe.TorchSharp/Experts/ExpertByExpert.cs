using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// One product for each expert that has pairs. Multiplies nothing in vain, but is as many launches as there are experts; the host has to
/// know how many pairs each has.
/// </summary>
internal static class ExpertByExpert
{
    /// <returns>[P, D].</returns>
    public static torch.Tensor Run(torch.Tensor xTD, ExpertPairs pairs, ExpertTensors experts)
    {
        int[] busy = Busy(pairs);
        return experts.Apply(
            xTD.index_select(0, pairs.TokenOfPair), (xPI, weightEIO, biasEO) => Product(xPI, weightEIO, biasEO, pairs, busy));
    }

    /// <summary>Each pair's row times its expert's matrix.</summary>
    /// <returns>[P, O].</returns>
    public static torch.Tensor Product(torch.Tensor xPI, ExpertStack weightEIO, ExpertPairs pairs) =>
        Product(xPI, weightEIO, null, pairs, Busy(pairs));

    private static int[] Busy(ExpertPairs pairs) =>
        [.. Enumerable.Range(0, pairs.Experts).Where(expert => pairs.Rows(expert) > 0)];

    private static torch.Tensor Product(torch.Tensor xPI, ExpertStack weightEIO, ExpertStack? biasEO, ExpertPairs pairs, int[] busy)
    {
        var rows = Array.ConvertAll(busy, expert => (long)pairs.Rows(expert));
        var (x, weight, bias) = (xPI.split(rows, 0), weightEIO.Each(busy), biasEO?.Each(busy));
        var parts = new torch.Tensor[busy.Length];
        for (var i = 0; i < parts.Length; i++)
            parts[i] = bias is null ? x[i].mm(weight[i]) : bias[i].addmm(x[i], weight[i]);
        return torch.cat(parts, 0);
    }
}
