namespace Microsoft.ML.Moe.Models;

/// <summary>
/// Floating-point operations of a forward pass, two for each multiply-add of a product of matrices: patch embedding and convolutions,
/// projections, scores and weighted sums of the attention, dense feed-forward networks, routers, experts, pooling and the head. Look-ups in
/// tables (token vectors, positions, the wide branch), biases, residuals, norms, activations, softmax, choosing and weighting the experts
/// are not counted.
/// </summary>
internal static class ForwardCost
{
    /// <summary>Operations of scoring rows.</summary>
    /// <param name="config">The architecture.</param>
    /// <param name="classes">Number of classes.</param>
    /// <param name="lengths">Tokens of each row.</param>
    /// <param name="pairs">Token–expert pairs of all MoE layers together, from their plans.</param>
    public static double Flops(EncoderConfig config, int classes, IEnumerable<int> lengths, long pairs)
    {
        const int q = ClassifierHead.PoolingQueries;
        double d = config.Width;
        var denseLayers = config.Layers - config.MoeLayers;
        var perToken = config.Layers * (3 * d * d + d * d) // queries, keys and values; output
            + denseLayers * 2 * d * config.DenseWidth
            + config.MoeLayers * d * config.Experts // routers
            + config.EmbeddingCost
            + 2 * q * d; // pooling: scores, weighted sums
        var perTokenSquared = config.Layers * 2 * d; // attention: scores, weighted sums
        var perRow = (q + 1) * d * classes; // head
        var multiplyAdds = pairs * 2 * d * config.ExpertWidth;
        foreach (double length in lengths)
            multiplyAdds += length * perToken + length * length * perTokenSquared + perRow;
        return 2 * multiplyAdds;
    }
}
