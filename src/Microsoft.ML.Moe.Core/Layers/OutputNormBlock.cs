using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>
/// A transformer block that normalises what its halves give: x + norm(attention(x)), then x + norm(feedForward(x)) (OLMo 2, "2 OLMo 2
/// Furious", section 3.2).
/// </summary>
/// <param name="name">Of the block.</param>
/// <param name="attention">Its first half.</param>
/// <param name="feedForward">Its second half.</param>
/// <param name="dropout">Rate at which what either adds is dropped while training.</param>
/// <param name="normOf">Makes a norm of a name.</param>
internal sealed class OutputNormBlock(
    string name, IAttention attention, IFeedForward feedForward, float dropout, Func<string, INorm> normOf) : IBlock
{
    private readonly INorm _attentionNorm = normOf(name + ".attentionNorm");
    private readonly INorm _feedForwardNorm = normOf(name + ".feedForwardNorm");

    /// <inheritdoc/>
    public Tensor Forward(ForwardContext context, Tensor xTD)
    {
        var tape = context.Tape;
        xTD = tape.AddDropped(xTD, _attentionNorm.Forward(tape, attention.Forward(context, xTD)), dropout);
        return tape.AddDropped(xTD, _feedForwardNorm.Forward(tape, feedForward.Forward(context, xTD)), dropout);
    }
}
