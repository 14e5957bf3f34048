using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>A pre-norm transformer block: x + attention(norm(x)), then x + feedForward(norm(x)) (Xiong et al. 2020).</summary>
internal sealed class PreNormBlock(
    ParameterStore store, string name, int width, IAttention attention, IFeedForward feedForward, float dropout) : IBlock
{
    private readonly LayerNorm _attentionNorm = new(store, name + ".attentionNorm", width);
    private readonly LayerNorm _feedForwardNorm = new(store, name + ".feedForwardNorm", width);

    /// <inheritdoc/>
    public Tensor Forward(ForwardContext context, Tensor xTD)
    {
        var tape = context.Tape;
        xTD = tape.AddDropped(xTD, attention.Forward(context, _attentionNorm.Forward(tape, xTD)), dropout);
        return tape.AddDropped(xTD, feedForward.Forward(context, _feedForwardNorm.Forward(tape, xTD)), dropout);
    }
}
