using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// The mixtures of ERNIE 4.5 (Baidu 2025, "ERNIE 4.5 technical report"): Llama's blocks, some of them dense, with experts that all tokens go
/// to. The positions turn neighbouring columns:
/// <code>
/// p = softmax(router·x); the top k of p + b, p divided by their sum
/// y = Σ p·W2·(silu(gate·x) ∘ up·x) + shared(x)
/// </code>
/// </summary>
internal sealed record ErnieMoeConfig : RotaryCausalConfig
{
    /// <inheritdoc/>
    internal override string Architecture => "ERNIE-4.5-MoE";

    /// <inheritdoc/>
    private protected override bool IsRotaryInterleaved => true;

    /// <summary>Reads <c>config.json</c>.</summary>
    internal static ErnieMoeConfig Read(PublishedSettings json)
    {
        var bias = json.Flag("use_bias");
        var config = new ErnieMoeConfig
        {
            VocabularySize = 103424,
            Width = 2560,
            Layers = 28,
            Heads = 20,
            DenseWidth = 12288,
            Positions = 131072,
            NormEpsilon = 1e-5f,
            RotaryBase = 500_000,
            TiesDecoder = true,
            HasAttentionBias = bias,
            HasAttentionOutputBias = bias,
            HasFeedForwardBias = bias,
            HasScoreBias = bias,
        }.Read(json, keyValueHeads: 4);
        var (first, last, interval) = (
            json.Int("moe_layer_start_index", 1), json.Int("moe_layer_end_index", -1), json.Step("moe_layer_interval"));
        var blocks = Enumerable.Range(0, config.Layers)
            .Where(block => (block + 1) % interval == 0 && block >= first && (last == -1 || block <= last));
        var expertWidth = json.Int("moe_intermediate_size", 1536);
        return config with
        {
            MoeAt = new BlockNumbers(blocks),
            Experts = json.Int("moe_num_experts", 64),
            ExpertWidth = expertWidth,
            Router = Router.TokenChoice(json.Int("moe_k", 6), normalizeWeights: true) with
            {
                SmallestSum = json.Double("moe_norm_min", 1e-12),
            },
            Mixture = new MixtureConfig
            {
                SharedWidth = checked(expertWidth * json.Int("moe_num_shared_experts", 2)),
                HasChoiceBias = true,
            },
            LoadBalancingCoefficient = json.Float("router_aux_loss_coef", 0.001f),
        };
    }

    /// <inheritdoc/>
    internal override WeightRules CreateRules()
    {
        const string Layer = "layers.{l}.";
        return LlamaRules()
            .Copy(Layer + "moe.router.weight", Layer + "mlp.gate.weight", transpose: true)
            .OnlyRow(
                Layer + "moe.router.choiceBias",
                $"{Layer}mlp.moe_statics.e_score_correction_bias | {Layer}mlp.gate.moe_statics.e_score_correction_bias")
            .GatedExperts(Layer + "mlp.experts")
            .Stack(Layer + "moe.experts.b1", Layer + "mlp.experts.{e}.gate_proj.bias")
            .Stack(Layer + "moe.experts.gateBias", Layer + "mlp.experts.{e}.up_proj.bias")
            .Stack(Layer + "moe.experts.b2", Layer + "mlp.experts.{e}.down_proj.bias")
            .Gated(Layer + "moe.shared", Layer + "mlp.shared_experts")
            .Repeat("nextToken.bias", "lm_head.bias")
            // layers that foretell the tokens after the next
            .Ignore("*mtp*");
    }
}
