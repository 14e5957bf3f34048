using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// RoBERTa (Liu et al. 2019, "RoBERTa: A robustly optimized BERT pretraining approach") and XLM-R (Conneau et al. 2020, "Unsupervised
/// cross-lingual representation learning at scale"): BERT's blocks and tensors, but for positions, which count the tokens that are no
/// padding and begin behind the padding id.
/// </summary>
internal sealed record RobertaConfig : PublishedConfig
{
    /// <inheritdoc/>
    internal override string Architecture => "RoBERTa";

    /// <inheritdoc/>
    internal override int MaximumTokens => Math.Max(1, Positions - PaddingId - 1);

    /// <summary>Reads <c>config.json</c>.</summary>
    internal static RobertaConfig Read(PublishedSettings json)
    {
        json.RefuseDecoder();
        json.RefuseRelativePositions();
        return new RobertaConfig
        {
            VocabularySize = json.Int("vocab_size", 50265),
            Width = json.Int("hidden_size", 768),
            Layers = json.Int("num_hidden_layers", 12),
            Heads = json.Int("num_attention_heads", 12),
            DenseWidth = json.Int("intermediate_size", 3072),
            Activation = json.Activation("hidden_act", "gelu"),
            Positions = json.Int("max_position_embeddings", 512),
            TokenTypes = json.Int("type_vocab_size", 2),
            PaddingId = json.Int("pad_token_id", 1),
            NormEpsilon = json.Float("layer_norm_eps", 1e-12f),
            Dropout = json.Float("hidden_dropout_prob", 0.1f),
            AttentionDropout = json.Float("attention_probs_dropout_prob", 0.1f),
            TiesDecoder = json.Flag("tie_word_embeddings", absent: true),
        };
    }

    /// <inheritdoc/>
    internal override int? PaddingOfPositions => PaddingId;

    /// <inheritdoc/>
    internal override WeightRules CreateRules() => BertConfig.AddRules(new WeightRules(Architecture).Prefixes("", "roberta."))
        .Linear("pooler", "pooler.dense")
        .Linear("classes.dense", "classifier.dense")
        .Linear("classes.output", "classifier.out_proj")
        .Linear("guess.transform", "lm_head.dense")
        .Norm("guess.norm", "lm_head.layer_norm")
        .Decoder(this, "embeddings.word_embeddings.weight", "lm_head.decoder.weight", "lm_head.bias | lm_head.decoder.bias");
}
