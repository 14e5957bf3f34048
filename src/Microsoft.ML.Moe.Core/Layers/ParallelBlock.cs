using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>
/// A transformer block whose halves read the same states: x + attention(norm(x)) + feedForward(norm(x)), each with a norm of its own
/// (GPT-J; Black et al. 2022, "GPT-NeoX-20B", section 2.1.2).
/// </summary>
/// <param name="name">Of the block.</param>
/// <param name="attention">Its first half.</param>
/// <param name="feedForward">Its second half.</param>
/// <param name="dropout">Rate at which what either adds is dropped while training.</param>
/// <param name="normOf">Makes a norm of a name.</param>
internal sealed class ParallelBlock(
    string name, IAttention attention, IFeedForward feedForward, float dropout, Func<string, INorm> normOf) : IBlock
{
    private readonly INorm _attentionNorm = normOf(name + ".attentionNorm");
    private readonly INorm _feedForwardNorm = normOf(name + ".feedForwardNorm");

    /// <inheritdoc/>
    public Tensor Forward(ForwardContext context, Tensor xTD)
    {
        var tape = context.Tape;
        var attendedTD = tape.AddDropped(xTD, attention.Forward(context, _attentionNorm.Forward(tape, xTD)), dropout);
        return tape.AddDropped(attendedTD, feedForward.Forward(context, _feedForwardNorm.Forward(tape, xTD)), dropout);
    }
}
