using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>A pre-norm transformer block: x + attention(norm(x)), then x + feedForward(norm(x)) (Xiong et al. 2020).</summary>
/// <param name="name">Of the block.</param>
/// <param name="attention">Its first half.</param>
/// <param name="feedForward">Its second half.</param>
/// <param name="dropout">Rate at which what either adds is dropped while training.</param>
/// <param name="normOf">Makes a norm of a name.</param>
/// <param name="scale">Factor of what either adds.</param>
internal sealed class PreNormBlock(
    string name, IAttention attention, IFeedForward feedForward, float dropout, Func<string, INorm> normOf, float scale = 1f) : IBlock
{
    private readonly INorm _attentionNorm = normOf(name + ".attentionNorm");
    private readonly INorm _feedForwardNorm = normOf(name + ".feedForwardNorm");

    /// <inheritdoc/>
    public Tensor Forward(ForwardContext context, Tensor xTD)
    {
        xTD = Add(context.Tape, xTD, attention.Forward(context, _attentionNorm.Forward(context.Tape, xTD)));
        return Add(context.Tape, xTD, feedForward.Forward(context, _feedForwardNorm.Forward(context.Tape, xTD)));
    }

    private Tensor Add(Tape tape, Tensor xTD, Tensor yTD) => tape.AddDropped(xTD, scale == 1f ? yTD : tape.Scale(yTD, scale), dropout);
}
