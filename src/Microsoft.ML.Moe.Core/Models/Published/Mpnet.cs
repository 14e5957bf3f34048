using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// MPNet (Song et al. 2020, "MPNet: Masked and permuted pre-training for language understanding"): BERT's blocks without token types, with
/// RoBERTa's positions and, added to the scores of the attention, T5's bias by relative position, one table for all blocks.
/// </summary>
internal sealed record MpnetConfig : PublishedConfig
{
    /// <summary>Positions begin behind this id, whatever id the configuration calls padding.</summary>
    private const int FixedPadding = 1;

    /// <summary>Rows of the table of relative positions.</summary>
    public int RelativeBuckets { get; init => field = OptionCheck.Range(value, 4, 4096, nameof(RelativeBuckets)); } = 32;

    /// <inheritdoc/>
    internal override string Architecture => "MPNet";

    /// <inheritdoc/>
    internal override int MaximumTokens => Math.Max(1, Positions - FixedPadding - 1);

    /// <summary>Reads <c>config.json</c>.</summary>
    internal static MpnetConfig Read(PublishedSettings json) => new()
    {
        VocabularySize = json.Int("vocab_size", 30527),
        Width = json.Int("hidden_size", 768),
        Layers = json.Int("num_hidden_layers", 12),
        Heads = json.Int("num_attention_heads", 12),
        DenseWidth = json.Int("intermediate_size", 3072),
        Activation = json.Activation("hidden_act", "gelu"),
        Positions = json.Int("max_position_embeddings", 512),
        PaddingId = json.Int("pad_token_id", 1),
        NormEpsilon = json.Float("layer_norm_eps", 1e-12f),
        Dropout = json.Float("hidden_dropout_prob", 0.1f),
        AttentionDropout = json.Float("attention_probs_dropout_prob", 0.1f),
        RelativeBuckets = json.Int("relative_attention_num_buckets", 32),
        TiesDecoder = json.Flag("tie_word_embeddings", absent: true),
    };

    /// <inheritdoc/>
    internal override int? PaddingOfPositions => FixedPadding;

    /// <inheritdoc/>
    internal override WeightRules CreateRules()
    {
        const string Layer = "encoder.layer.{l}.";
        const string Attention = Layer + "attention.attn.";
        return new WeightRules(Architecture)
            .Prefixes("", "mpnet.")
            .Copy("embedding.words", "embeddings.word_embeddings.weight")
            .Copy("embedding.positions", "embeddings.position_embeddings.weight")
            .Norm("embedding.norm", "embeddings.LayerNorm")
            .Copy("relativePositions", "encoder.relative_attention_bias.weight")
            .Linear("layers.{l}.attention.queries", Attention + "q")
            .Linear("layers.{l}.attention.keys", Attention + "k")
            .Linear("layers.{l}.attention.values", Attention + "v")
            .Linear("layers.{l}.attention.output", Attention + "o")
            .Norm("layers.{l}.attentionNorm", Layer + "attention.LayerNorm")
            .Linear("layers.{l}.feedForward.first", Layer + "intermediate.dense")
            .Linear("layers.{l}.feedForward.second", Layer + "output.dense")
            .Norm("layers.{l}.feedForwardNorm", Layer + "output.LayerNorm")
            .Linear("pooler", "pooler.dense")
            .Linear("classes.dense", "classifier.dense")
            .Linear("classes.output", "classifier.out_proj")
            .Linear("guess.transform", "lm_head.dense")
            .Norm("guess.norm", "lm_head.layer_norm")
            .Decoder(this, "embeddings.word_embeddings.weight", "lm_head.decoder.weight", "lm_head.bias | lm_head.decoder.bias")
            .Ignore("embeddings.position_ids", "pooler.*", "classifier.*", "qa_outputs.*", "lm_head.*");
    }

    /// <inheritdoc/>
    private protected override Func<string, int, IAttention> AttentionOf(ParameterStore store)
    {
        var tableRH = store.Normal("relativePositions", ParameterRole.Weight, 0.02f, RelativeBuckets, Heads);
        var spec = new AttentionSpec(Heads) { Dropout = AttentionDropout };
        return (name, _) => new RelativeAttention(
            store, name, Width, Width / Heads, spec, hasBias: true, tableRH, RelativePositions.Furthest);
    }
}
