using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>What a decoder reads: an encoder's states, or their keys and values in the pass's cache.</summary>
/// <param name="StatesSD">[S, D]; null where <see cref="CrossAttention.Keep"/> has been called before.</param>
/// <param name="Layout">Sequences within S, as many as the decoder has.</param>
internal readonly record struct DecoderSource(Tensor? StatesSD, SequenceLayout? Layout);

/// <summary>Attention of a decoder's tokens to an encoder's (Vaswani et al. 2017, section 3.2.3), without biases.</summary>
/// <param name="store">Makes the projections.</param>
/// <param name="name">What their names begin with.</param>
/// <param name="width">D, of both.</param>
/// <param name="headWidth">Columns of a head.</param>
/// <param name="spec">Heads, scale and dropout; not causal.</param>
internal sealed class CrossAttention(ParameterStore store, string name, int width, int headWidth, AttentionSpec spec)
{
    private readonly Linear _queries = new(store, name + ".queries", width, spec.Heads * headWidth, hasBias: false);
    private readonly Linear _keys = new(store, name + ".keys", width, spec.Heads * headWidth, hasBias: false);
    private readonly Linear _values = new(store, name + ".values", width, spec.Heads * headWidth, hasBias: false);
    private readonly Linear _output = new(store, name + ".output", spec.Heads * headWidth, width, hasBias: false);

    /// <summary>[T, D] → [T, D].</summary>
    public Tensor Forward(ForwardContext context, Tensor xTD, DecoderSource source)
    {
        var tape = context.Tape;
        var q = _queries.Forward(tape, xTD);
        return _output.Forward(tape, source.StatesSD is { } statesSD
            ? tape.Attention(q, _keys.Forward(tape, statesSD), _values.Forward(tape, statesSD), spec, context.Layout, source.Layout)
            : tape.CachedAttention(q, null, null, spec, context.Layout, context.Cache!.Of(name, q.Columns, q.Columns)));
    }

    /// <summary>Puts the keys and values of an encoder's states into the pass's cache.</summary>
    /// <param name="context">The pass over the encoder's tokens; its layout has no padding.</param>
    /// <param name="statesSD">[S, D].</param>
    public void Keep(ForwardContext context, Tensor statesSD)
    {
        var (k, v) = (_keys.Forward(context.Tape, statesSD), _values.Forward(context.Tape, statesSD));
        var cache = context.Cache!.Of(name, k.Columns, v.Columns, room: Math.Max(1, context.Layout.MaxLength));
        context.Tape.Append(cache, k, v, context.Layout);
    }
}
