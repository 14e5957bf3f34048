using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>
/// A post-norm transformer block: norm(x + attention(x)), then norm(x + feedForward(x)) (Vaswani et al. 2017; Devlin et al. 2019, "BERT").
/// </summary>
internal sealed class PostNormBlock(
    ParameterStore store, string name, int width, IAttention attention, IFeedForward feedForward, float dropout, float epsilon) : IBlock
{
    private readonly LayerNorm _attentionNorm = new(store, name + ".attentionNorm", width, epsilon);
    private readonly LayerNorm _feedForwardNorm = new(store, name + ".feedForwardNorm", width, epsilon);

    /// <inheritdoc/>
    public Tensor Forward(ForwardContext context, Tensor xTD)
    {
        var tape = context.Tape;
        xTD = _attentionNorm.Forward(tape, tape.AddDropped(xTD, attention.Forward(context, xTD), dropout));
        return _feedForwardNorm.Forward(tape, tape.AddDropped(xTD, feedForward.Forward(context, xTD), dropout));
    }
}
