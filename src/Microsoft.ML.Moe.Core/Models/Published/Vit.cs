using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// ViT (Dosovitskiy et al. 2021, "An image is worth 16×16 words"), as Hugging Face publishes it:
/// <code>
/// x = [class, W·patch + b …] + positions           patches row by row, each channel by channel
/// x = x + attention(norm(x))                       H heads, softmax(QKᵀ/√(D/H))·V
/// x = x + W2·gelu(W1·norm(x) + b1) + b2            gelu in its exact form
/// x = norm(x)                                      after the last block
/// </code>
/// A classifier reads the first token.
/// </summary>
internal sealed record VitConfig : VisionTransformerConfig
{
    /// <inheritdoc/>
    internal override string Architecture => "ViT";

    /// <inheritdoc/>
    internal override int SpecialTokens => 1;

    /// <summary>Reads <c>config.json</c>.</summary>
    internal static VitConfig Read(PublishedSettings json)
    {
        var sizes = ReadSizes(json, specialTokens: 1);
        return new VitConfig
        {
            VocabularySize = 0,
            Positions = sizes.Positions,
            ImageWidth = sizes.Width,
            ImageHeight = sizes.Height,
            PatchSize = sizes.Patch,
            Channels = json.Int("num_channels", 3),
            Width = json.Int("hidden_size", 768),
            Layers = json.Int("num_hidden_layers", 12),
            Heads = json.Int("num_attention_heads", 12),
            DenseWidth = json.Int("intermediate_size", 3072),
            Activation = json.Activation("hidden_act", "gelu"),
            NormEpsilon = json.Float("layer_norm_eps", 1e-12f),
            HasAttentionBias = json.Flag("qkv_bias", absent: true),
            Dropout = json.Float("hidden_dropout_prob", 0f),
            AttentionDropout = json.Float("attention_probs_dropout_prob", 0f),
        };
    }

    /// <inheritdoc/>
    internal override WeightRules CreateRules() => AddRules(new WeightRules(Architecture).Prefixes("", "vit."))
        .Linear("classes.output", "classifier");
}
