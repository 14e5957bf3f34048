using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// Attention of causal models: a token reads itself and those before it. Heads of keys and values may be fewer than those of queries, and the
/// positions may turn both.
/// </summary>
/// <param name="store">Makes the projections.</param>
/// <param name="name">What their names begin with.</param>
/// <param name="width">D.</param>
/// <param name="headWidth">Columns of a head.</param>
/// <param name="spec">Heads, scale and dropout; causal.</param>
/// <param name="hasBias">Whether the projections have biases.</param>
/// <param name="rotary">Rotary frequencies; null where positions come from a table.</param>
internal sealed class CausalAttention(
    ParameterStore store, string name, int width, int headWidth, AttentionSpec spec, bool hasBias, RotaryFrequencies? rotary) : IAttention
{
    private readonly Linear _queries = new(store, name + ".queries", width, spec.Heads * headWidth, hasBias: hasBias);
    private readonly Linear _keys = new(store, name + ".keys", width, spec.KeyValueHeads * headWidth, hasBias: hasBias);
    private readonly Linear _values = new(store, name + ".values", width, spec.KeyValueHeads * headWidth, hasBias: hasBias);
    private readonly Linear _output = new(store, name + ".output", spec.Heads * headWidth, width, hasBias: hasBias);

    /// <inheritdoc/>
    public Tensor Forward(ForwardContext context, Tensor xTD)
    {
        var (tape, layout) = (context.Tape, context.Layout);
        var (q, k) = (_queries.Forward(tape, xTD), _keys.Forward(tape, xTD));
        if (rotary is not null)
        {
            var positions = context.Positions();
            q = tape.Rotary(q, positions, spec.Heads, rotary);
            k = tape.Rotary(k, positions, spec.KeyValueHeads, rotary);
        }

        return _output.Forward(tape, context.CausalAttention(name, q, k, _values.Forward(tape, xTD), spec));
    }
}
