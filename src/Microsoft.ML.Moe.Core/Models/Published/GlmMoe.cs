using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// The mixtures of GLM-4.5 (GLM-4.5 team 2025, "GLM-4.5: Agentic, reasoning, and coding foundation models", section 2.1): Llama's blocks, the
/// first of them dense, with DeepSeek-V3's router and experts that all tokens go to. The positions turn a part of each head:
/// <code>
/// s = sigmoid(router·x); the top k of s + b in the best groups, s divided by their sum
/// y = c·Σ s·W2·(silu(gate·x) ∘ up·x) + shared(x)
/// </code>
/// </summary>
internal sealed record GlmMoeConfig : RotaryCausalConfig
{
    /// <summary>Whether queries and keys are normalised, each head by itself.</summary>
    public bool NormsHeads { get; init; }

    /// <inheritdoc/>
    internal override string Architecture => "GLM-4-MoE";

    /// <inheritdoc/>
    private protected override QueryKeyNorm QueryKeyNorm => NormsHeads ? QueryKeyNorm.Heads : QueryKeyNorm.None;

    /// <summary>Reads <c>config.json</c>.</summary>
    internal static GlmMoeConfig Read(PublishedSettings json)
    {
        var config = new GlmMoeConfig
        {
            VocabularySize = 151552,
            Width = 4096,
            Layers = 46,
            Heads = 96,
            DenseWidth = 10944,
            Positions = 131072,
            NormEpsilon = 1e-5f,
            RotaryFraction = 0.5,
            TiesDecoder = false,
            HasAttentionBias = json.Flag("attention_bias"),
            NormsHeads = json.Flag("use_qk_norm"),
        }.Read(json, keyValueHeads: 8);
        var expertWidth = json.Int("moe_intermediate_size", 1408);
        var groups = new ExpertGroups(json.Int("n_group", 1), json.Int("topk_group", 1), GroupScore.SumOfTwoLargest);
        return config with
        {
            MoeAt = new BlockNumbers(Enumerable.Range(0, config.Layers).Where(block => block >= json.Int("first_k_dense_replace", 1))),
            Experts = json.Int("n_routed_experts", 128),
            ExpertWidth = expertWidth,
            Router = Router.TokenChoice(json.Int("num_experts_per_tok", 8), json.Flag("norm_topk_prob", absent: true)) with
            {
                ScoreFunction = ScoreFunction.Sigmoid,
                SmallestSum = 1e-20,
                Groups = groups.Count > 1 ? groups : null,
            },
            Mixture = new MixtureConfig
            {
                SharedWidth = checked(expertWidth * json.Int("n_shared_experts", 1)),
                HasChoiceBias = true,
                RoutedScale = json.Float("routed_scaling_factor", 1f),
            },
            LoadBalancingCoefficient = 0f,
        };
    }

    /// <inheritdoc/>
    internal override WeightRules CreateRules() => LlamaRules()
        .Copy("layers.{l}.moe.router.weight", "layers.{l}.mlp.gate.weight", transpose: true)
        .Copy("layers.{l}.moe.router.choiceBias", "layers.{l}.mlp.gate.e_score_correction_bias")
        .GatedExperts("layers.{l}.mlp.experts")
        .Gated("layers.{l}.moe.shared", "layers.{l}.mlp.shared_experts")
        // a layer more in the published files foretells the token after the next
        .Ignore($"layers.{Layers}.*")
        .Ignore(Mixture is { SharedWidth: 0 } ? ["*.mlp.shared_experts.*"] : []);
}
