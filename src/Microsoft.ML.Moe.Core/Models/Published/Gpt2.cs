using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// GPT-2 (Radford et al. 2019, "Language models are unsupervised multitask learners"), as Hugging Face publishes it, with matrices that stand
/// as [in, out]:
/// <code>
/// x = word[id] + position[0…]
/// x = x + Wo·attention(norm(x)) + bo               causal
/// x = x + W2·gelu(W1·norm(x) + b1) + b2            gelu in its tanh form
/// next token: norm(x)·word
/// </code>
/// </summary>
internal sealed record Gpt2Config : CausalConfig
{
    private static readonly string[] Projections = ["queries", "keys", "values"];

    /// <summary>Whether scores of the attention are divided by the root of a head's width.</summary>
    public bool ScalesAttention { get; init; } = true;

    /// <inheritdoc/>
    internal override string Architecture => "GPT-2";

    /// <summary>Reads <c>config.json</c>.</summary>
    internal static Gpt2Config Read(PublishedSettings json)
    {
        if (json.Flag("add_cross_attention") || json.Flag("scale_attn_by_inverse_layer_idx"))
            throw json.Refused("add_cross_attention and scale_attn_by_inverse_layer_idx are not supported");
        var width = json.Int("n_embd", 768);
        return new Gpt2Config
        {
            VocabularySize = json.Int("vocab_size", 50257),
            Width = width,
            Layers = json.Int("n_layer", 12),
            Heads = json.Int("n_head", 12),
            DenseWidth = json.Int("n_inner") ?? checked(4 * width),
            Activation = json.Activation("activation_function", "gelu_new"),
            Positions = json.Int("n_positions", 1024),
            PaddingId = json.Int("pad_token_id", 0),
            NormEpsilon = json.Float("layer_norm_epsilon", 1e-5f),
            Dropout = json.Float("resid_pdrop", 0.1f),
            AttentionDropout = json.Float("attn_pdrop", 0.1f),
            ScalesAttention = json.Flag("scale_attn_weights", absent: true),
            TiesDecoder = json.Flag("tie_word_embeddings", absent: true),
        };
    }

    /// <inheritdoc/>
    internal override WeightRules CreateRules()
    {
        const string Layer = "h.{l}.";
        var rules = new WeightRules(Architecture)
            .Prefixes("", "transformer.")
            .Copy("embedding.words", "wte.weight")
            .Copy("embedding.positions", "wpe.weight")
            .Norm("outputNorm", "ln_f")
            .Copy(NextTokenWeight, "lm_head.weight");
        foreach (var (part, name) in Projections.Index())
        {
            rules
                .Slice($"layers.{{l}}.attention.{name}.weight", Layer + "attn.c_attn.weight", part, of: 3, axis: 1)
                .Slice($"layers.{{l}}.attention.{name}.bias", Layer + "attn.c_attn.bias", part, of: 3);
        }

        return rules
            .Copy("layers.{l}.attention.output.weight", Layer + "attn.c_proj.weight")
            .Copy("layers.{l}.attention.output.bias", Layer + "attn.c_proj.bias")
            .Norm("layers.{l}.attentionNorm", Layer + "ln_1")
            .Copy("layers.{l}.feedForward.first.weight", Layer + "mlp.c_fc.weight")
            .Copy("layers.{l}.feedForward.first.bias", Layer + "mlp.c_fc.bias")
            .Copy("layers.{l}.feedForward.second.weight", Layer + "mlp.c_proj.weight")
            .Copy("layers.{l}.feedForward.second.bias", Layer + "mlp.c_proj.bias")
            .Norm("layers.{l}.feedForwardNorm", Layer + "ln_2")
            .Ignore("*.attn.bias", "*.attn.masked_bias", "lm_head.weight");
    }

    /// <inheritdoc/>
    private protected override INorm CreateNorm(ParameterStore store, string name) => new LayerNorm(store, name, Width, NormEpsilon);

    /// <inheritdoc/>
    private protected override Func<string, int, IAttention> AttentionOf(ParameterStore store)
    {
        var spec = new AttentionSpec(Heads) { IsCausal = true, Dropout = AttentionDropout, Scale = ScalesAttention ? null : 1f };
        var settings = new CausalAttentionSettings(Width / Heads, spec) { HasBias = true, HasOutputBias = true };
        return (name, _) => new CausalAttention(store, name, Width, settings);
    }
}
