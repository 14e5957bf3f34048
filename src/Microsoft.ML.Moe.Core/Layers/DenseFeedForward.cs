using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>One feed-forward network for all tokens: W₂·gelu(W₁·x).</summary>
internal sealed class DenseFeedForward(ParameterStore store, string name, int width, int hiddenWidth, float outputGain) : IFeedForward
{
    private readonly Linear _first = new(store, name + ".first", width, hiddenWidth, Activation.Gelu);
    private readonly Linear _second = new(store, name + ".second", hiddenWidth, width, gain: outputGain);

    /// <inheritdoc/>
    public Tensor Forward(ForwardContext context, Tensor xTD) => _second.Forward(context.Tape, _first.Forward(context.Tape, xTD));
}
