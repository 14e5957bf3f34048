using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// BERT (Devlin et al. 2019, "BERT: Pre-training of deep bidirectional transformers"), as Hugging Face publishes it:
/// <code>
/// x = norm(word[id] + position[0…] + type[0 | 1])
/// x = norm(x + Wo·attention(x) + bo)               H heads, softmax(QKᵀ/√(D/H))·V
/// x = norm(x + W2·gelu(W1·x + b1) + b2)            gelu in its exact form
/// </code>
/// </summary>
internal sealed record BertConfig : PublishedConfig
{
    /// <inheritdoc/>
    internal override string Architecture => "BERT";

    /// <summary>Reads <c>config.json</c>.</summary>
    internal static BertConfig Read(PublishedSettings json)
    {
        json.RefuseDecoder();
        json.RefuseRelativePositions();
        return new BertConfig
        {
            VocabularySize = json.Int("vocab_size", 30522),
            Width = json.Int("hidden_size", 768),
            Layers = json.Int("num_hidden_layers", 12),
            Heads = json.Int("num_attention_heads", 12),
            DenseWidth = json.Int("intermediate_size", 3072),
            Activation = json.Activation("hidden_act", "gelu"),
            Positions = json.Int("max_position_embeddings", 512),
            TokenTypes = json.Int("type_vocab_size", 2),
            PaddingId = json.Int("pad_token_id", 0),
            NormEpsilon = json.Float("layer_norm_eps", 1e-12f),
            Dropout = json.Float("hidden_dropout_prob", 0.1f),
            AttentionDropout = json.Float("attention_probs_dropout_prob", 0.1f),
            TiesDecoder = json.Flag("tie_word_embeddings", absent: true),
        };
    }

    /// <inheritdoc/>
    internal override WeightRules CreateRules() => AddRules(new WeightRules(Architecture).Prefixes("", "bert."))
        .Linear("pooler", "pooler.dense")
        .Linear("classes.dense", "pooler.dense")
        .Linear("classes.output", "classifier")
        .Linear("guess.transform", "cls.predictions.transform.dense")
        .Norm("guess.norm", "cls.predictions.transform.LayerNorm")
        .Decoder(
            this,
            "embeddings.word_embeddings.weight",
            "cls.predictions.decoder.weight",
            "cls.predictions.bias | cls.predictions.decoder.bias");

    /// <summary>The names of BERT's tensors but for its heads', which others have taken over.</summary>
    internal static WeightRules AddRules(WeightRules rules)
    {
        const string Layer = "encoder.layer.{l}.";
        const string Self = Layer + "attention.self.";
        rules
            .Copy("embedding.words", "embeddings.word_embeddings.weight")
            .Copy("embedding.positions", "embeddings.position_embeddings.weight")
            .Copy("embedding.types", "embeddings.token_type_embeddings.weight")
            .Norm("embedding.norm", "embeddings.LayerNorm")
            .Concat(
                "layers.{l}.attention.qkv.weight",
                [Self + "query.weight", Self + "key.weight", Self + "value.weight"],
                axis: 1,
                transpose: true)
            .Concat("layers.{l}.attention.qkv.bias", [Self + "query.bias", Self + "key.bias", Self + "value.bias"])
            .Linear("layers.{l}.attention.output", Layer + "attention.output.dense")
            .Norm("layers.{l}.attentionNorm", Layer + "attention.output.LayerNorm")
            .Linear("layers.{l}.feedForward.first", Layer + "intermediate.dense")
            .Linear("layers.{l}.feedForward.second", Layer + "output.dense")
            .Norm("layers.{l}.feedForwardNorm", Layer + "output.LayerNorm")
            .Ignore("embeddings.position_ids", "pooler.*", "cls.*", "classifier.*", "qa_outputs.*", "lm_head.*");
        return rules;
    }
}
