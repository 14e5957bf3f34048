using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Generation;

/// <summary>Attention that goes on from what was seen before, where a pass has a <see cref="DecodingCache"/>.</summary>
internal static class CachedAttention
{
    /// <summary>Attention of new tokens to themselves and to those before them, of this pass and of earlier ones.</summary>
    /// <param name="context">The pass.</param>
    /// <param name="name">Name of the layer.</param>
    /// <param name="qTD">[T, H·K] queries, turned to their positions.</param>
    /// <param name="kTD">[T, G·K] keys, turned to their positions.</param>
    /// <param name="vTD">[T, G·V] values.</param>
    /// <param name="spec">Heads; causal.</param>
    /// <param name="bias">Added to the scores; null for nothing.</param>
    /// <param name="sinksH">[H] scores of keys without values; null for none.</param>
    /// <returns>[T, H·V].</returns>
    public static Tensor CausalAttention(
        this ForwardContext context,
        string name,
        Tensor qTD,
        Tensor kTD,
        Tensor vTD,
        AttentionSpec spec,
        AttentionBias? bias = null,
        Tensor? sinksH = null) =>
        context.Cache is null
            ? context.Tape.Attention(qTD, kTD, vTD, spec, context.Layout, bias: bias, sinksH: sinksH)
            : context.Tape.CachedAttention(
                qTD, kTD, vTD, spec, context.Layout, context.Cache.Of(name, kTD.Columns, vTD.Columns), bias, sinksH);
}
