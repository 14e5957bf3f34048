using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// DistilBERT (Sanh et al. 2019, "DistilBERT, a distilled version of BERT"): BERT's blocks, half as many, without token types and pooler.
/// </summary>
internal sealed record DistilBertConfig : PublishedConfig
{
    /// <inheritdoc/>
    internal override string Architecture => "DistilBERT";

    /// <inheritdoc/>
    internal override Activation ClassifierActivation => Activation.Relu;

    /// <summary>Reads <c>config.json</c>. The norms' epsilon is no setting.</summary>
    internal static DistilBertConfig Read(PublishedSettings json) => new()
    {
        VocabularySize = json.Int("vocab_size", 30522),
        Width = json.Int("dim", 768),
        Layers = json.Int("n_layers", 6),
        Heads = json.Int("n_heads", 12),
        DenseWidth = json.Int("hidden_dim", 3072),
        Activation = json.Activation("activation", "gelu"),
        Positions = json.Int("max_position_embeddings", 512),
        PaddingId = json.Int("pad_token_id", 0),
        NormEpsilon = 1e-12f,
        Dropout = json.Float("dropout", 0.1f),
        AttentionDropout = json.Float("attention_dropout", 0.1f),
        TiesDecoder = json.Flag("tie_word_embeddings", absent: true),
    };

    /// <inheritdoc/>
    internal override WeightRules CreateRules()
    {
        const string Layer = "transformer.layer.{l}.";
        const string Attention = Layer + "attention.";
        return new WeightRules(Architecture)
            .Prefixes("", "distilbert.")
            .Copy("embedding.words", "embeddings.word_embeddings.weight")
            .Copy("embedding.positions", "embeddings.position_embeddings.weight")
            .Norm("embedding.norm", "embeddings.LayerNorm")
            .Concat(
                "layers.{l}.attention.qkv.weight",
                [Attention + "q_lin.weight", Attention + "k_lin.weight", Attention + "v_lin.weight"],
                axis: 1,
                transpose: true)
            .Concat("layers.{l}.attention.qkv.bias", [Attention + "q_lin.bias", Attention + "k_lin.bias", Attention + "v_lin.bias"])
            .Linear("layers.{l}.attention.output", Attention + "out_lin")
            .Norm("layers.{l}.attentionNorm", Layer + "sa_layer_norm")
            .Linear("layers.{l}.feedForward.first", Layer + "ffn.lin1")
            .Linear("layers.{l}.feedForward.second", Layer + "ffn.lin2")
            .Norm("layers.{l}.feedForwardNorm", Layer + "output_layer_norm")
            .Linear("classes.dense", "pre_classifier")
            .Linear("classes.output", "classifier")
            .Linear("guess.transform", "vocab_transform")
            .Norm("guess.norm", "vocab_layer_norm")
            .Decoder(this, "embeddings.word_embeddings.weight", "vocab_projector.weight", "vocab_projector.bias")
            .Ignore(
                "embeddings.position_ids", "pre_classifier.*", "classifier.*", "qa_outputs.*", "vocab_transform.*", "vocab_layer_norm.*",
                "vocab_projector.*");
    }
}
