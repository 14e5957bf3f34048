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
    /// <param name="embedding">Multiply-adds that make a token's vector, before the blocks.</param>
    /// <param name="head">Multiply-adds of the head.</param>
    /// <param name="lengths">Tokens of each row.</param>
    /// <param name="pairs">Token–expert pairs of all MoE layers together, from their plans.</param>
    public static double Flops(
        EncoderConfig config, double embedding, (double OfRow, double OfToken) head, IEnumerable<int> lengths, long pairs)
    {
        double d = config.Width;
        var denseLayers = config.Layers - config.MoeLayers;
        var (queries, keys) = config.AttentionWidths;
        var perToken = config.Layers * d * (2 * queries + 2 * keys) // queries and output; keys and values
            + denseLayers * config.DenseCost
            + config.MoeLayers * d * config.Experts // routers
            + config.MoeLayers * config.ProductsOfFeedForward.Expert * d * (config.Mixture?.SharedWidth ?? 0) // experts that all tokens go to
            + embedding
            + head.OfToken;
        var perTokenSquared = config.Layers * 2.0 * queries; // attention: scores, weighted sums
        var multiplyAdds = pairs * config.ProductsOfFeedForward.Expert * d * config.ExpertWidth;
        foreach (double length in lengths)
            multiplyAdds += length * perToken + length * length * perTokenSquared + head.OfRow;
        return 2 * multiplyAdds;
    }
}
