using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// Pre-norm transformer blocks, every n-th with a mixture of experts in place of its feed-forward network, and the norm after them.
/// </summary>
internal sealed class Encoder
{
    private readonly EncoderBlock[] _blocks;
    private readonly LayerNorm _outputNorm;

    public Encoder(ParameterStore store, EncoderConfig config)
    {
        var d = config.Width;
        var gain = 1f / MathF.Sqrt(Math.Max(1, 2 * config.Layers));
        var moe = new MoeSettings(
            config.Experts,
            config.Router.CreatePolicy(),
            config.LoadBalancingCoefficient,
            config.RouterZLossCoefficient);
        _blocks = [.. Enumerable.Range(0, config.Layers).Select(Block)];
        _outputNorm = new LayerNorm(store, "outputNorm", d);

        EncoderBlock Block(int layer)
        {
            var name = $"layers.{layer}";
            var attention = new SelfAttention(store, name + ".attention", d, config.Heads, gain, config.Dropout / 2);
            IFeedForward feedForward = config.HasExperts(layer)
                ? new MoeLayer(store, name + ".moe", layer, d, config.ExpertWidth, moe, gain)
                : new DenseFeedForward(store, name + ".feedForward", d, config.FeedForwardWidth, gain);
            return new EncoderBlock(store, name, d, attention, feedForward, config.Dropout);
        }
    }

    /// <summary>[T, D] → [T, D].</summary>
    public Tensor Forward(ForwardContext context, Tensor xTD)
    {
        foreach (var block in _blocks)
            xTD = block.Forward(context, xTD);
        return _outputNorm.Forward(context.Tape, xTD);
    }
}
