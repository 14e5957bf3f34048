using Microsoft.ML.Moe.Layers;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// This library's own architecture: pre-norm transformer blocks, some with a mixture of experts in place of the feed-forward network, and
/// the norm after them.
/// </summary>
internal static class PreNormEncoder
{
    /// <summary>The encoder.</summary>
    public static Encoder Create(ParameterStore store, EncoderConfig config)
    {
        var d = config.Width;
        var gain = 1f / MathF.Sqrt(Math.Max(1, 2 * config.Layers));
        var moe = config.Mixture?.Apply(config.MoeSettings) ?? config.MoeSettings;
        return new Encoder([.. Enumerable.Range(0, config.Layers).Select(Block)], new LayerNorm(store, "outputNorm", d));

        PreNormBlock Block(int layer)
        {
            var name = $"layers.{layer}";
            var attention = new SelfAttention(store, name + ".attention", d, config.Heads, gain, config.Dropout / 2);
            IFeedForward feedForward = config.HasExperts(layer)
                ? MixtureLayers.Create(store, name + ".moe", layer, d, config.ExpertWidth, moe, gain)
                : new DenseFeedForward(store, name + ".feedForward", d, config.FeedForwardWidth, gain);
            return new PreNormBlock(name, attention, feedForward, config.Dropout, norm => new LayerNorm(store, norm, d));
        }
    }
}
