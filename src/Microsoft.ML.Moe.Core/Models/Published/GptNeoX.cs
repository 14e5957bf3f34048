using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Layers;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// GPT-NeoX (Black et al. 2022, "GPT-NeoX-20B: An open-source autoregressive language model") and what is built like it (Pythia), as Hugging
/// Face publishes it:
/// <code>
/// x = word[id]
/// x = x + Wo·attention(norm(x)) + bo + W2·gelu(W1·norm'(x) + b1) + b2      causal; a part of each head is turned
/// next token: norm(x)·head
/// </code>
/// Queries, keys and values of a head stand side by side.
/// </summary>
internal sealed record GptNeoXConfig : RotaryCausalConfig
{
    private static readonly string[] Projections = ["queries", "keys", "values"];

    /// <summary>Whether attention and feed-forward network read the same states; if not, the second reads what the first has given.</summary>
    public bool IsParallel { get; init; }

    /// <inheritdoc/>
    internal override string Architecture => "GPT-NeoX";

    /// <inheritdoc/>
    internal override FeedForwardSettings FeedForward => new(Activation);

    /// <summary>Reads <c>config.json</c>.</summary>
    internal static GptNeoXConfig Read(PublishedSettings json)
    {
        var bias = json.Flag("attention_bias", absent: true);
        var config = new GptNeoXConfig
        {
            VocabularySize = 50432,
            Width = 6144,
            Layers = 44,
            Heads = 64,
            DenseWidth = 24576,
            Positions = 2048,
            NormEpsilon = json.Float("layer_norm_eps", 1e-5f),
            RotaryBase = json.Double("rotary_emb_base", 10_000),
            RotaryFraction = json.Double("rotary_pct", 0.25),
            TiesDecoder = false,
            HasAttentionBias = bias,
            HasAttentionOutputBias = bias,
            IsParallel = json.Flag("use_parallel_residual", absent: true),
        }.Read(json);
        if (config.Width % config.Heads != 0 || config.HeadWidth * config.Heads != config.Width || config.KeyValueHeads != config.Heads)
            throw json.Refused($"the {config.Heads} heads are not hidden_size {config.Width} divided equally");
        return config with { Activation = json.Activation("hidden_act", "gelu"), Dropout = json.Float("hidden_dropout", 0f) };
    }

    /// <inheritdoc/>
    internal override WeightRules CreateRules()
    {
        const string Layer = "layers.{l}.";
        var rules = new WeightRules(Architecture)
            .Prefixes("", "gpt_neox.")
            .Copy("embedding.words", "embed_in.weight")
            .Norm("outputNorm", "final_layer_norm")
            .Copy(NextTokenWeight, "embed_out.weight | lm_head.weight");
        foreach (var (part, name) in Projections.Index())
        {
            rules
                .Slice(
                    $"layers.{{l}}.attention.{name}.weight", Layer + "attention.query_key_value.weight", part, of: 3, groups: Heads, transpose: true)
                .Slice($"layers.{{l}}.attention.{name}.bias", Layer + "attention.query_key_value.bias", part, of: 3, groups: Heads);
        }

        return rules
            .Linear("layers.{l}.attention.output", Layer + "attention.dense")
            .Norm("layers.{l}.attentionNorm", Layer + "input_layernorm")
            .Linear("layers.{l}.feedForward.first", Layer + "mlp.dense_h_to_4h")
            .Linear("layers.{l}.feedForward.second", Layer + "mlp.dense_4h_to_h")
            .Norm("layers.{l}.feedForwardNorm", Layer + "post_attention_layernorm")
            .Ignore("*rotary_emb.*", "*.attention.bias", "*.attention.masked_bias", "embed_out.weight", "lm_head.weight");
    }

    /// <inheritdoc/>
    private protected override INorm CreateNorm(ParameterStore store, string name) => new LayerNorm(store, name, Width, NormEpsilon);

    /// <inheritdoc/>
    private protected override IBlock CreateBlock(ParameterStore store, string name, IAttention attention, IFeedForward feedForward) => IsParallel
        ? new ParallelBlock(name, attention, feedForward, Dropout, norm => CreateNorm(store, norm))
        : base.CreateBlock(store, name, attention, feedForward);
}
