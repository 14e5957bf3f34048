using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// The mixtures of Qwen: Qwen1.5-MoE and Qwen2-MoE, with an expert that all tokens go to, weighted by a sigmoid, and Qwen3-MoE without it:
/// <code>
/// p = softmax(router·x); the top k, in Qwen3 divided by their sum
/// y = Σ p·W2·(silu(gate·x) ∘ up·x) + sigmoid(g·x)·shared(x)
/// </code>
/// </summary>
internal sealed record QwenMoeConfig : RotaryCausalConfig
{
    /// <summary>Whether queries and keys are normalised, each head by itself: Qwen3.</summary>
    public bool NormsHeads { get; init; }

    /// <inheritdoc/>
    internal override string Architecture => NormsHeads ? "Qwen3-MoE" : "Qwen2-MoE";

    /// <inheritdoc/>
    private protected override QueryKeyNorm QueryKeyNorm => NormsHeads ? QueryKeyNorm.Heads : QueryKeyNorm.None;

    /// <summary>Reads <c>config.json</c> of Qwen2-MoE.</summary>
    internal static QwenMoeConfig ReadSecond(PublishedSettings json)
    {
        var config = new QwenMoeConfig
        {
            VocabularySize = 151936,
            Width = 2048,
            Layers = 24,
            Heads = 16,
            DenseWidth = 5632,
            Positions = 32768,
            NormEpsilon = 1e-6f,
            TiesDecoder = false,
            HasAttentionBias = json.Flag("qkv_bias", absent: true),
            Mixture = new MixtureConfig { SharedWidth = json.Int("shared_expert_intermediate_size", 5632), HasSharedGate = true },
        }.Read(json, keyValueHeads: 16);
        return Sparse(config, json, experts: 60, expertsPerToken: 4, expertWidth: 1408);
    }

    /// <summary>Reads <c>config.json</c> of Qwen3-MoE.</summary>
    internal static QwenMoeConfig ReadThird(PublishedSettings json)
    {
        var config = new QwenMoeConfig
        {
            VocabularySize = 151936,
            Width = 2048,
            Layers = 24,
            Heads = 32,
            DenseWidth = 6144,
            Positions = 32768,
            NormEpsilon = 1e-6f,
            TiesDecoder = false,
            NormsHeads = true,
            HasAttentionBias = json.Flag("attention_bias"),
            HasAttentionOutputBias = json.Flag("attention_bias"),
        }.Read(json, keyValueHeads: 4);
        return Sparse(config, json, experts: 128, expertsPerToken: 8, expertWidth: 768);
    }

    private static QwenMoeConfig Sparse(QwenMoeConfig config, PublishedSettings json, int experts, int expertsPerToken, int expertWidth)
    {
        var step = json.Step("decoder_sparse_step");
        if (json.Int("num_experts") is 0)
            throw json.Refused("num_experts is 0: it is no mixture");
        var dense = json.Ints("mlp_only_layers");
        var blocks = Enumerable.Range(0, config.Layers).Where(block => (block + 1) % step == 0 && !dense.Contains(block));
        return config.WithExperts(
            json, "num_experts", experts, expertsPerToken, 0.001f, null, "moe_intermediate_size", expertWidth, blocks) with
        {
            Window = json.Flag("use_sliding_window") ? json.Int("sliding_window", 4096) : null,
        };
    }

    /// <inheritdoc/>
    internal override WeightRules CreateRules() => LlamaRules()
        .Copy("layers.{l}.moe.router.weight", "layers.{l}.mlp.gate.weight", transpose: true)
        .GatedExperts("layers.{l}.mlp.experts")
        .Gated("layers.{l}.moe.shared", "layers.{l}.mlp.shared_expert")
        .Copy("layers.{l}.moe.sharedGate.weight", "layers.{l}.mlp.shared_expert_gate.weight", transpose: true)
        .Ignore(Mixture is { SharedWidth: 0 } ? ["*.mlp.shared_expert*"] : []);
}
