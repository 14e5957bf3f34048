using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>Multi-head self-attention within each sequence, with its projections.</summary>
internal sealed class SelfAttention(ParameterStore store, string name, int width, int heads, float outputGain, float dropout)
    : IAttention
{
    private readonly Linear _queriesKeysValues = new(store, name + ".qkv", width, 3 * width);
    private readonly Linear _output = new(store, name + ".output", width, width, gain: outputGain);

    /// <inheritdoc/>
    public Tensor Forward(ForwardContext context, Tensor xTD)
    {
        var qkvT3D = _queriesKeysValues.Forward(context.Tape, xTD);
        return _output.Forward(context.Tape, context.Tape.Attention(qkvT3D, context.Layout, heads, dropout));
    }
}
