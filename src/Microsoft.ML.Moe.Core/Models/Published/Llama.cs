using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// Llama (Touvron et al. 2023, "LLaMA: Open and efficient foundation language models"), as Hugging Face publishes it:
/// <code>
/// x = word[id]
/// x = x + Wo·attention(rms(x))                     causal, rotary positions, heads of keys and values shared
/// x = x + W2·(silu(gate·rms(x)) ∘ up·rms(x))
/// next token: rms(x)·head
/// </code>
/// </summary>
internal sealed record LlamaConfig : CausalConfig
{
    /// <summary>Heads of keys and values; divides <see cref="EncoderConfig.Heads"/>.</summary>
    public required int KeyValueHeads { get; init => field = OptionCheck.Range(value, 1, 4096, nameof(KeyValueHeads)); }

    /// <summary>Columns of a head; even.</summary>
    public required int HeadWidth { get; init => field = OptionCheck.Range(value, 2, 4096, nameof(HeadWidth)); }

    /// <summary>Base of the rotary frequencies.</summary>
    public double RotaryBase { get; init => field = OptionCheck.Range(value, 1e-3, 1e12, nameof(RotaryBase)); } = 10_000;

    /// <summary>Whether the projections of the attention have biases.</summary>
    public bool HasAttentionBias { get; init; }

    /// <summary>Whether the feed-forward networks have biases.</summary>
    public bool HasFeedForwardBias { get; init; }

    /// <inheritdoc/>
    internal override string Architecture => "Llama";

    /// <inheritdoc/>
    internal override bool HeadsDivideWidth => false;

    /// <inheritdoc/>
    internal override bool HasPositionTable => false;

    /// <inheritdoc/>
    internal override FeedForwardSettings FeedForward =>
        new(Activation, HasGate: true, HasBias: HasFeedForwardBias) { HasGateBias = HasFeedForwardBias };

    /// <summary>Reads <c>config.json</c>, of transformers 4 or 5.</summary>
    internal static LlamaConfig Read(PublishedSettings json)
    {
        var rotary = json.Part("rope_parameters");
        foreach (var scaling in (PublishedSettings[])[rotary, json.Part("rope_scaling")])
            if (scaling.Text("rope_type", scaling.Text("type", "default")) is not "default" and var kind)
                throw json.Refused($"rope_type '{kind}' is not supported: only 'default' is");
        var (width, heads) = (json.Int("hidden_size", 4096), json.Int("num_attention_heads", 32));
        var keyValueHeads = json.Int("num_key_value_heads", heads);
        if (heads < 1 || keyValueHeads < 1 || heads % keyValueHeads != 0)
            throw json.Refused($"num_key_value_heads {keyValueHeads} does not divide num_attention_heads {heads}");
        var headWidth = json.Int("head_dim", width / heads);
        if (headWidth % 2 != 0)
            throw json.Refused($"head_dim {headWidth} is odd");
        return new LlamaConfig
        {
            VocabularySize = json.Int("vocab_size", 32000),
            Width = width,
            Layers = json.Int("num_hidden_layers", 32),
            Heads = heads,
            KeyValueHeads = keyValueHeads,
            HeadWidth = headWidth,
            DenseWidth = json.Int("intermediate_size", 11008),
            Activation = json.Activation("hidden_act", "silu"),
            Positions = json.Int("max_position_embeddings", 2048),
            PaddingId = Math.Max(0, json.Int("pad_token_id", 0)),
            NormEpsilon = json.Float("rms_norm_eps", 1e-6f),
            Dropout = 0f,
            AttentionDropout = json.Float("attention_dropout", 0f),
            RotaryBase = rotary.Double("rope_theta", json.Double("rope_theta", 10_000)),
            HasAttentionBias = json.Flag("attention_bias"),
            HasFeedForwardBias = json.Flag("mlp_bias"),
            TiesDecoder = json.Flag("tie_word_embeddings"),
        };
    }

    /// <inheritdoc/>
    internal override WeightRules CreateRules()
    {
        const string Layer = "layers.{l}.";
        const string Attention = Layer + "self_attn.";
        return new WeightRules(Architecture)
            .Prefixes("", "model.")
            .Copy("embedding.words", "embed_tokens.weight")
            .Copy("outputNorm.gain", "norm.weight")
            .Copy(NextTokenWeight, "lm_head.weight")
            .Linear("layers.{l}.attention.queries", Attention + "q_proj")
            .Linear("layers.{l}.attention.keys", Attention + "k_proj")
            .Linear("layers.{l}.attention.values", Attention + "v_proj")
            .Linear("layers.{l}.attention.output", Attention + "o_proj")
            .Copy("layers.{l}.attentionNorm.gain", Layer + "input_layernorm.weight")
            .Linear("layers.{l}.feedForward.first", Layer + "mlp.gate_proj")
            .Linear("layers.{l}.feedForward.gate", Layer + "mlp.up_proj")
            .Linear("layers.{l}.feedForward.second", Layer + "mlp.down_proj")
            .Copy("layers.{l}.feedForwardNorm.gain", Layer + "post_attention_layernorm.weight")
            .Ignore("*rotary_emb.inv_freq", "lm_head.weight");
    }

    /// <inheritdoc/>
    private protected override INorm CreateNorm(ParameterStore store, string name) => new RmsNorm(store, name, Width, NormEpsilon);

    /// <inheritdoc/>
    private protected override Func<string, IAttention> AttentionOf(ParameterStore store)
    {
        var spec = new AttentionSpec(Heads, KeyValueHeads) { IsCausal = true, Dropout = AttentionDropout };
        var rotary = RotaryFrequencies.OfTheta(HeadWidth, RotaryBase);
        return name => new CausalAttention(store, name, Width, HeadWidth, spec, HasAttentionBias, rotary);
    }
}
