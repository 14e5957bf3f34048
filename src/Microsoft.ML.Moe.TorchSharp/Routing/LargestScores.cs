using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>The first entries of stable descending sorts: of equal scores the one with the lower number comes first.</summary>
internal static class LargestScores
{
    /// <summary>Whether each score is among the first of its line.</summary>
    /// <param name="scores">[G, …].</param>
    /// <param name="dimension">Along which a line runs, at least 1.</param>
    /// <param name="counts">How many of each line to take, for each of the G, or one number for all; no more than a line has.</param>
    public static torch.Tensor Of(torch.Tensor scores, int dimension, int[] counts)
    {
        var isFirst = torch.zeros(scores.shape, torch.ScalarType.Bool, scores.device);
        var most = counts.DefaultIfEmpty(0).Max();
        if (most == 0)
            return isFirst;
        var (_, order) = scores.sort(dimension, descending: true, stable: true);
        order = order.narrow(dimension, 0, most);
        return isFirst.scatter_(dimension, order, IsTaken(counts, most, scores.device, dimension, order.shape));
    }

    private static torch.Tensor IsTaken(int[] counts, int most, torch.Device device, int dimension, long[] shape)
    {
        if (counts.All(count => count == most))
            return torch.ones(shape, torch.ScalarType.Bool, device);
        var rank = new long[shape.Length];
        rank.AsSpan().Fill(1);
        var count = rank.ToArray();
        (rank[dimension], count[0]) = (most, counts.Length);
        var ranks = Scalars.Range(most, device).reshape(rank);
        return ranks.lt(device.Upload(counts).reshape(count)).expand(shape);
    }
}
