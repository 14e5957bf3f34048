using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Layers;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// JetMoE (Shen et al. 2024, "JetMoE: Reaching Llama2 performance with 0.1M dollars"): mixtures of experts in both halves of a block; see
/// <see cref="JetMoeAttention"/> for the first, and of the second:
/// <code>
/// p = softmax over the top k of router·x
/// y = Σ p·W2·(silu(gate·x) ∘ up·x) + bias              one bias for all experts, after the sum
/// </code>
/// </summary>
internal sealed record JetMoeConfig : RotaryCausalConfig
{
    /// <summary>Of the norms within blocks; only that after the last takes what the file says.</summary>
    private const float BlockEpsilon = 1e-6f;

    private static readonly (string Name, string Older)[] Renamed =
    [
        ("intermediate_size", "ffn_hidden_size"),
        ("num_local_experts", "moe_num_experts"),
        ("num_experts_per_tok", "moe_top_k"),
        ("max_position_embeddings", "n_positions"),
        ("rms_norm_eps", "layer_norm_epsilon"),
    ];

    /// <inheritdoc/>
    internal override string Architecture => "JetMoE";

    /// <inheritdoc/>
    private protected override MoeSettings MoeLayerSettings => base.MoeLayerSettings with { HasOutputBias = true };

    /// <summary>Reads <c>config.json</c>, in the form of transformers or in that in which the model was published.</summary>
    internal static JetMoeConfig Read(PublishedSettings json)
    {
        if (!json.Flag("glu", absent: true) || !json.Flag("bias", absent: true))
            throw json.Refused("glu and bias are not supported but as true");
        json = json.WithOlderNames(Renamed);
        var expertsPerToken = json.Int("num_experts_per_tok", 2);
        var keyValueHeads = json.Int("num_key_value_heads", 16);
        var config = new JetMoeConfig
        {
            VocabularySize = 32000,
            Width = 2048,
            Layers = 12,
            Heads = checked(keyValueHeads * expertsPerToken),
            DenseWidth = 5632,
            Positions = 4096,
            NormEpsilon = 1e-6f,
            TiesDecoder = true,
        }.Read(json, keyValueHeads, headWidth: json.Int("kv_channels", 128));
        // each expert of a token has as many heads of queries as there are of keys and values
        return config.WithExperts(
            json, "num_local_experts", experts: 8, expertsPerToken: 2, balancing: json.Float("aux_loss_coef", 0.01f), normalizes: true) with
        {
            Heads = checked(keyValueHeads * expertsPerToken),
            HeadWidth = json.Int("kv_channels", 128),
            Activation = json.Activation("activation_function", "silu"),
        };
    }

    /// <inheritdoc/>
    internal override WeightRules CreateRules()
    {
        const string Attention = "layers.{l}.self_attention.";
        const string Experts = "layers.{l}.mlp.";
        var keysAndValues = new WeightRules(Architecture)
            .Slice("layers.{l}.attention.keys.weight", Attention + "kv_proj.weight", 0, of: 2, transpose: true)
            .Slice("layers.{l}.attention.values.weight", Attention + "kv_proj.weight", 1, of: 2, transpose: true);
        return LlamaRules(own: keysAndValues)
            .Copy("layers.{l}.attention.router.weight", Attention + "experts.router.layer.weight", transpose: true)
            .Copy("layers.{l}.attention.experts.queries", Attention + "experts.input_linear.weight", transpose: true)
            .Copy("layers.{l}.attention.experts.output", Attention + "experts.output_linear.weight", transpose: true)
            .Repeat("layers.{l}.attention.bias", Attention + "experts.bias")
            .Copy("layers.{l}.moe.router.weight", Experts + "router.layer.weight", transpose: true)
            .Slice("layers.{l}.moe.experts.w1", Experts + "input_linear.weight", 0, of: 2, axis: 1, transpose: true)
            .Slice("layers.{l}.moe.experts.gate", Experts + "input_linear.weight", 1, of: 2, axis: 1, transpose: true)
            .Copy("layers.{l}.moe.experts.w2", Experts + "output_linear.weight", transpose: true)
            .Repeat("layers.{l}.moe.bias", Experts + "bias");
    }

    /// <inheritdoc/>
    private protected override INorm CreateNorm(ParameterStore store, string name) =>
        new RmsNorm(store, name, Width, name == OutputNormName ? NormEpsilon : BlockEpsilon);

    /// <inheritdoc/>
    private protected override Func<string, int, IAttention> AttentionOf(ParameterStore store)
    {
        var settings = AttentionSettings;
        return (name, layer) => new JetMoeAttention(store, name, layer, this, settings);
    }
}
