using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// Hunyuan's first mixtures (Tencent 2025, Hunyuan-A13B): Llama's blocks with experts in all of them and one that all tokens go to. Queries and
/// keys are normalised, each head by itself, after the positions have turned them; the rotary base is multiplied by α^(d/(d − 2)) for heads of
/// d columns:
/// <code>
/// p = softmax(router·x); the top k, divided by their sum
/// y = Σ p·W2·(silu(gate·x) ∘ up·x) + shared(x)
/// </code>
/// </summary>
internal sealed record HunyuanMoeConfig : RotaryCausalConfig
{
    /// <summary>α of the rotary base.</summary>
    public double RotaryAlpha { get; init => field = OptionCheck.Range(value, 1e-3, 1e9, nameof(RotaryAlpha)); } = 1;

    /// <inheritdoc/>
    internal override string Architecture => "Hunyuan-MoE";

    /// <inheritdoc/>
    private protected override QueryKeyNorm QueryKeyNorm => QueryKeyNorm.TurnedHeads;

    /// <inheritdoc/>
    private protected override double FrequencyBase =>
        HeadWidth > 2 ? RotaryBase * Math.Pow(RotaryAlpha, HeadWidth / (HeadWidth - 2.0)) : RotaryBase;

    /// <summary>Reads <c>config.json</c>.</summary>
    internal static HunyuanMoeConfig Read(PublishedSettings json)
    {
        var rotary = RotaryScaling.PartOf(json);
        var alpha = RotaryScaling.KindOf(rotary) == "dynamic" ? rotary.Double("alpha", 0) : 0;
        var config = new HunyuanMoeConfig
        {
            VocabularySize = 290943,
            Width = 4096,
            Layers = 32,
            Heads = 32,
            DenseWidth = 11008,
            Positions = 2048,
            NormEpsilon = 1e-5f,
            TiesDecoder = false,
            HasAttentionBias = json.Flag("attention_bias"),
            HasAttentionOutputBias = json.Flag("attention_bias"),
            RotaryAlpha = alpha == 0 ? 1 : alpha,
        }.Read(json);
        // an expert is as wide as what all tokens go to
        return config with
        {
            MoeAt = new BlockNumbers(Enumerable.Range(0, config.Layers)),
            Experts = json.IntOfAll("num_experts", 1),
            ExpertWidth = config.FeedForwardWidth,
            Router = Router.TokenChoice(json.IntOfAll("moe_topk", 1), normalizeWeights: true),
            Mixture = new MixtureConfig { SharedWidth = config.FeedForwardWidth },
            LoadBalancingCoefficient = 0f,
        };
    }

    /// <inheritdoc/>
    internal override WeightRules CreateRules() => LlamaRules(queryNorm: "query_layernorm", keyNorm: "key_layernorm")
        .Copy("layers.{l}.moe.router.weight", "layers.{l}.mlp.gate.wg.weight", transpose: true)
        .GatedExperts("layers.{l}.mlp.experts")
        .Gated("layers.{l}.moe.shared", "layers.{l}.mlp.shared_mlp");
}
