using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>A block without attention: x + feedForward(norm(x)).</summary>
/// <param name="norm">Before the network.</param>
/// <param name="feedForward">The network.</param>
/// <param name="dropout">Rate at which what it adds is dropped while training.</param>
internal sealed class FeedForwardBlock(INorm norm, IFeedForward feedForward, float dropout) : IBlock
{
    /// <inheritdoc/>
    public Tensor Forward(ForwardContext context, Tensor xTD) =>
        context.Tape.AddDropped(xTD, feedForward.Forward(context, norm.Forward(context.Tape, xTD)), dropout);
}
