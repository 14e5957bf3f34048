using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// Blocks without attention, for tokens that are members of an ensemble and do not read each other: x + feedForward(norm(x)), the
/// feed-forward network dense or a mixture of experts, with ReLU. A row's members meet in the mixture: their tokens share its experts.
/// </summary>
internal sealed record FeatureEncoderConfig : EncoderConfig
{
    [JsonConstructor]
    public FeatureEncoderConfig() => Heads = 1;

    private FeatureEncoderConfig(EncoderConfig encoder)
        : base(encoder) => Heads = 1;

    /// <inheritdoc/>
    [JsonIgnore]
    internal override (int Queries, int KeysAndValues) AttentionWidths => (0, 0);

    /// <summary>The architecture with these widths, experts and router.</summary>
    public static FeatureEncoderConfig From(EncoderConfig encoder) => new(encoder);

    /// <inheritdoc/>
    internal override Encoder CreateEncoder(ParameterStore store)
    {
        var form = new FeedForwardSettings(Activation.Relu);
        var moe = MoeSettings with { Expert = form };
        return new Encoder([.. Enumerable.Range(0, Layers).Select(Block)]);

        FeedForwardBlock Block(int layer)
        {
            var name = $"layers.{layer}";
            IFeedForward feedForward = HasExperts(layer)
                ? new MoeLayer(store, name + ".moe", layer, Width, ExpertWidth, moe, outputGain: 1f)
                : new DenseFeedForward(store, name + ".feedForward", Width, FeedForwardWidth, outputGain: 1f, form);
            return new FeedForwardBlock(new LayerNorm(store, name + ".feedForwardNorm", Width), feedForward, Dropout);
        }
    }
}
