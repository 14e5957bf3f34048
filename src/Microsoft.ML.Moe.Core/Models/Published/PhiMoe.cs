using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// Phi-3.5-MoE (Liu et al. 2024, "GRIN: GRadient-INformed MoE"): layer normalisation with biases, LongRoPE, and two experts of a token that
/// SparseMixer weighs, as when it is evaluated; fine-tuning here samples none and adds no noise to the router's input:
/// <code>
/// p = softmax of router·x over those not far below the first, for the first, and of the others for the second
/// y = Σ p·W2·(silu(W1·x) ∘ W3·x)                        not divided by their sum
/// </code>
/// </summary>
internal sealed record PhiMoeConfig : RotaryCausalConfig
{
    /// <summary>Frequencies by the length of a row; null for the same of all.</summary>
    public LongRope? LongRope { get; init; }

    /// <inheritdoc/>
    internal override string Architecture => "PhiMoE";

    /// <inheritdoc/>
    private protected override CausalAttentionSettings AttentionSettings => LongRope is null ? base.AttentionSettings : base.AttentionSettings with
    {
        Rotary = LongRope.Apply(HeadWidth, RotaryBase, isLong: false),
        Beyond = (LongRope.Apply(HeadWidth, RotaryBase, isLong: true), LongRope.TrainedPositions),
    };

    /// <summary>Reads <c>config.json</c>.</summary>
    internal static PhiMoeConfig Read(PublishedSettings json)
    {
        if (json.Int("num_experts_per_tok", 2) is not 2 and var expertsPerToken)
            throw json.Refused($"num_experts_per_tok {expertsPerToken} is not supported: SparseMixer takes 2");
        var kind = RotaryScaling.KindOf(RotaryScaling.PartOf(json));
        if (kind is not ("default" or "longrope"))
            throw json.Refused($"rope_type '{kind}' is not supported: only default and longrope are");
        var config = new PhiMoeConfig
        {
            VocabularySize = 32064,
            Width = 4096,
            Layers = 32,
            Heads = 32,
            DenseWidth = 6400,
            Positions = 131072,
            NormEpsilon = 1e-5f,
            RotaryBase = 1e6,
            TiesDecoder = false,
            HasAttentionBias = json.Flag("attention_bias"),
            HasAttentionOutputBias = json.Flag("attention_bias"),
            HasScoreBias = json.Flag("lm_head_bias"),
            Window = json.Int("sliding_window"),
        }.Read(json, keyValueHeads: 8, readsScaling: false);
        if (config.HeadWidth * config.Heads != config.Width)
            throw json.Refused($"hidden_size {config.Width} is not {config.Heads} heads of {config.HeadWidth} columns");
        config = config.WithExperts(json, "num_local_experts", experts: 16, expertsPerToken: 2, balancing: 0.001f, normalizes: false);
        return config with
        {
            LongRope = kind == "longrope" ? LongRope.Read(json, config.HeadWidth) : null,
            Router = config.Router with
            {
                ScoreFunction = ScoreFunction.SparseMixer,
                Jitter = json.Double("router_jitter_noise", 0.01),
            },
        };
    }

    /// <inheritdoc/>
    internal override WeightRules CreateRules() => LlamaRules()
        .Copy("outputNorm.bias", "norm.bias")
        .Copy("layers.{l}.attentionNorm.bias", "layers.{l}.input_layernorm.bias")
        .Copy("layers.{l}.feedForwardNorm.bias", "layers.{l}.post_attention_layernorm.bias")
        .Repeat(NextTokenBias, "lm_head.bias")
        .Copy(
            "layers.{l}.moe.router.weight", "layers.{l}.block_sparse_moe.gate.weight | layers.{l}.mlp.router.weight", transpose: true)
        .GatedExperts("layers.{l}.block_sparse_moe.experts", gate: "w1", up: "w3", down: "w2")
        .GatedExperts("layers.{l}.mlp.experts");

    /// <inheritdoc/>
    private protected override INorm CreateNorm(ParameterStore store, string name) => new LayerNorm(store, name, Width, NormEpsilon);
}
