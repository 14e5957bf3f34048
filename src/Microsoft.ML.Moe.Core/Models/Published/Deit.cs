using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// DeiT (Touvron et al. 2021, "Training data-efficient image transformers and distillation through attention"), as Hugging Face publishes
/// it: ViT with a second token behind the first, which was trained to say what a teacher says. A published classifier reads the first
/// token, one with a teacher takes the mean of both tokens' scores.
/// </summary>
internal sealed record DeitConfig : VisionTransformerConfig
{
    /// <inheritdoc/>
    internal override string Architecture => "DeiT";

    /// <inheritdoc/>
    internal override int SpecialTokens => 2;

    /// <summary>Reads <c>config.json</c>.</summary>
    internal static DeitConfig Read(PublishedSettings json)
    {
        var sizes = ReadSizes(json, specialTokens: 2);
        return new DeitConfig
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
    internal override WeightRules CreateRules() => AddRules(new WeightRules(Architecture).Prefixes("", "deit."))
        .Linear("classes.output", "classifier")
        .Linear("classes.output", "cls_classifier")
        .Linear("classes.distilled", "distillation_classifier");
}
