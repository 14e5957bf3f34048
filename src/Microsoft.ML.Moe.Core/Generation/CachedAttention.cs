using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Generation;

/// <summary>Attention that goes on from what was seen before, where a pass has a <see cref="DecodingCache"/>.</summary>
internal static class CachedAttention
{
    /// <summary>
    /// Attention of new tokens to themselves and to those before them, of this pass and of earlier ones. Padding at the start of a row, which
    /// sees no token, attends to all places of the row alike: so it is in the programs that these models come from, whose mask is a finite
    /// number, and routers that let padding compete take heed of it.
    /// </summary>
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
        Tensor? sinksH = null)
    {
        var tape = context.Tape;
        if (context.Cache is { } cache)
            return tape.CachedAttention(qTD, kTD, vTD, spec, context.Layout, cache.Of(name, kTD.Columns, vTD.Columns), bias, sinksH);
        var outTD = tape.Attention(qTD, kTD, vTD, spec, context.Layout, bias: bias, sinksH: sinksH);
        // with a sink, which is not hidden, such a place attends to nothing
        return context.Layout.Mask.IsEmpty || sinksH is not null ? outTD : AddPadding(tape, outTD, qTD, kTD, vTD, spec, context.Layout);
    }

    /// <summary>
    /// Adds what leading padding attends to: all places alike, since such a mask leaves nothing of the scores that it is added to. The scores
    /// get their gradients all the same.
    /// </summary>
    private static Tensor AddPadding(
        Tape tape, Tensor outTD, Tensor qTD, Tensor kTD, Tensor vTD, AttentionSpec spec, SequenceLayout layout)
    {
        const float Mask = -1e30f;
        var offsets = new int[layout.Sequences + 1];
        var placeOfToken = new int[layout.Tokens + 1];
        var padding = new List<int>();
        for (var row = 0; row < layout.Sequences; row++)
        {
            var isLeading = true;
            for (var token = layout.Offsets[row]; token < layout.Offsets[row + 1]; token++)
            {
                isLeading &= !layout.IsToken(token);
                if (isLeading)
                    padding.Add(token);
                placeOfToken[token + 1] = padding.Count;
            }

            offsets[row + 1] = padding.Count;
        }

        if (padding.Count == 0)
            return outTD;
        var (heads, longest) = (spec.Heads, layout.MaxLength);
        var values = new float[(2 * longest + 1) * heads];
        values.AsSpan().Fill(Mask);
        var seesAll = new AttentionSpec(heads, spec.KeyValueHeads) { Scale = spec.Scale };
        var outPD = tape.Attention(
            tape.Embedding(qTD, [.. padding]),
            kTD,
            vTD,
            seesAll,
            new SequenceLayout(offsets),
            new SequenceLayout(layout.Offsets.ToArray()),
            new AttentionBias(tape.Constant(values, 2 * longest + 1, heads), longest));
        int[] places = [.. Enumerable.Range(0, padding.Count)];
        var bags = new RaggedIndices(placeOfToken, places, [.. Enumerable.Repeat(1f, places.Length)]);
        return tape.Add(outTD, tape.EmbeddingBag(outPD, bags));
    }
}
