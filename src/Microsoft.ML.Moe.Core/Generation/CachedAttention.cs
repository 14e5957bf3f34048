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
        return context.Layout.Mask.IsEmpty || sinksH is not null ? outTD : AddMeans(tape, outTD, vTD, spec, context.Layout);
    }

    private static Tensor AddMeans(Tape tape, Tensor outTD, Tensor vTD, AttentionSpec spec, SequenceLayout layout)
    {
        var (heads, groups) = (spec.Heads, spec.KeyValueHeads);
        var width = outTD.Columns / heads;
        var sources = new int[layout.Tokens * heads];
        var seesNone = new float[layout.Tokens * outTD.Columns];
        for (var row = 0; row < layout.Sequences; row++)
        {
            var isLeading = true;
            for (var token = layout.Offsets[row]; token < layout.Offsets[row + 1]; token++)
            {
                isLeading &= !layout.IsToken(token);
                for (var head = 0; head < heads; head++)
                    sources[token * heads + head] = row * groups + head / (heads / groups);
                if (isLeading)
                    seesNone.AsSpan(token * outTD.Columns, outTD.Columns).Fill(1f);
            }
        }

        if (!seesNone.Contains(1f))
            return outTD;
        var meansBD = tape.MeanPool(vTD, new SequenceLayout(layout.Offsets.ToArray()));
        var ofHeads = tape.Embedding(tape.Reshape(meansBD, layout.Sequences * groups, width), sources);
        var meansTD = tape.Reshape(ofHeads, layout.Tokens, outTD.Columns);
        return tape.Add(outTD, tape.Multiply(meansTD, tape.Constant(seesNone, layout.Tokens, outTD.Columns)));
    }
}
