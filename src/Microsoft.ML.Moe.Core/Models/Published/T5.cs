using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// T5 (Raffel et al. 2020, "Exploring the limits of transfer learning with a unified text-to-text transformer"), its gated form (T5 1.1,
/// Flan-T5), and mT5; see <see cref="EncoderDecoderConfig"/>.
/// </summary>
internal sealed record T5Config : EncoderDecoderConfig
{
    /// <inheritdoc/>
    internal override string Architecture => "T5";

    /// <summary>Reads <c>config.json</c>, of transformers 4 or 5.</summary>
    internal static T5Config Read(PublishedSettings json) => Read(json, "relu", absentTies: true);

    /// <summary>
    /// Reads <c>config.json</c> of mT5 (Xue et al. 2021): T5 1.1 over another vocabulary, gated and with a last table of its own unless the file
    /// says otherwise.
    /// </summary>
    internal static T5Config ReadMultilingual(PublishedSettings json) => Read(json, "gated-gelu", absentTies: false);

    private static T5Config Read(PublishedSettings json, string absentForm, bool absentTies)
    {
        var layers = json.Int("num_layers", 6);
        var buckets = json.Int("relative_attention_num_buckets", 32);
        // "relu", "gated-gelu", "gated-silu", …: the two settings that are made of it may stand beside it
        var form = json.Text("feed_forward_proj", absentForm).Split('-');
        var activation = form is ["gated", "gelu"] ? "gelu_new" : form[^1];
        var padding = json.Int("pad_token_id", 0);
        return new T5Config
        {
            VocabularySize = json.Int("vocab_size", 32128),
            Width = json.Int("d_model", 512),
            HeadWidth = json.Int("d_kv", 64),
            DenseWidth = json.Int("d_ff", 2048),
            Layers = layers,
            DecoderLayers = json.Int("num_decoder_layers", layers),
            Heads = json.Int("num_heads", 8),
            Activation = json.Activation("dense_act_fn", activation),
            HasGate = json.Flag("is_gated_act", absent: form[0] == "gated"),
            Positions = NoLimit,
            RelativeBuckets = buckets,
            FurthestDistance = Furthest(json, buckets),
            PaddingId = padding,
            StartId = json.Int("decoder_start_token_id", padding),
            NormEpsilon = json.Float("layer_norm_epsilon", 1e-6f),
            Dropout = json.Float("dropout_rate", 0.1f),
            AttentionDropout = json.Float("dropout_rate", 0.1f),
            TiesDecoder = Ties(json, absentTies),
        };
    }

    /// <inheritdoc/>
    internal override WeightRules CreateRules() => CreateRules("DenseReluDense");
}
