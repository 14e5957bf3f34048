using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>Self-attention with T5's bias by relative position, whose table the blocks of a stack share.</summary>
/// <param name="store">Makes the projections.</param>
/// <param name="name">What their names begin with.</param>
/// <param name="width">D.</param>
/// <param name="headWidth">Columns of a head.</param>
/// <param name="spec">Heads, scale, dropout, and whether it is causal.</param>
/// <param name="hasBias">Whether the projections have biases.</param>
/// <param name="tableRH">[R, H], the bias of each bucket of distances.</param>
/// <param name="furthest">Distances from here on share the last bucket.</param>
internal sealed class RelativeAttention(
    ParameterStore store, string name, int width, int headWidth, AttentionSpec spec, bool hasBias, Parameter tableRH, int furthest) : IAttention
{
    private readonly Linear _queries = new(store, name + ".queries", width, spec.Heads * headWidth, hasBias: hasBias);
    private readonly Linear _keys = new(store, name + ".keys", width, spec.Heads * headWidth, hasBias: hasBias);
    private readonly Linear _values = new(store, name + ".values", width, spec.Heads * headWidth, hasBias: hasBias);
    private readonly Linear _output = new(store, name + ".output", spec.Heads * headWidth, width, hasBias: hasBias);

    /// <inheritdoc/>
    public Tensor Forward(ForwardContext context, Tensor xTD)
    {
        var tape = context.Tape;
        var (q, k, v) = (_queries.Forward(tape, xTD), _keys.Forward(tape, xTD), _values.Forward(tape, xTD));
        var bias = Bias(context);
        return _output.Forward(tape, spec.IsCausal
            ? context.CausalAttention(name, q, k, v, spec, bias)
            : tape.Attention(q, k, v, spec, context.Layout, bias: bias));
    }

    private AttentionBias Bias(ForwardContext context)
    {
        var buckets = tableRH.Value.Shape[0];
        var behind = Math.Max(0, context.LongestSoFar() - 1);
        int[] rows = [.. Enumerable.Range(-behind, (spec.IsCausal ? 1 : 2) * behind + 1).Select(distance => spec.IsCausal
            ? RelativePositions.CausalBucketOf(distance, buckets, furthest)
            : RelativePositions.BucketOf(distance, buckets, furthest))];
        return new AttentionBias(context.Tape.Embedding(tableRH, rows), behind);
    }
}
