using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// DeepSeek-V2 (DeepSeek-AI 2024, "DeepSeek-V2: A strong, economical, and efficient mixture-of-experts language model"): multi-head latent
/// attention, and DeepSeekMoE's blocks:
/// <code>
/// p = softmax(router·x), in single precision; the top k, perhaps of the best groups of experts, times a factor
/// y = Σ p·W2·(silu(gate·x) ∘ up·x) + shared(x)
/// </code>
/// The weights are never divided by their sum: transformers reads norm_topk_prob and does not heed it. Scores of the attention have the factor
/// that YaRN's mscale_all_dim stands for, as the published program has it.
/// </summary>
internal sealed record DeepSeekV2Config : LatentCausalConfig
{
    /// <inheritdoc/>
    internal override string Architecture => "DeepSeek-V2";

    /// <summary>Reads <c>config.json</c>.</summary>
    internal static DeepSeekV2Config Read(PublishedSettings json)
    {
        json.RefuseOther("scoring_func", "softmax");
        var method = json.Text("topk_method", "greedy");
        if (method is not ("greedy" or "group_limited_greedy"))
            throw json.Refused($"topk_method '{method}' is not supported: only 'greedy' and 'group_limited_greedy' are");
        var config = ReadLatent(
            new DeepSeekV2Config
            {
                VocabularySize = 32000,
                Width = 4096,
                Layers = 32,
                Heads = 32,
                DenseWidth = 11008,
                Positions = 2048,
                NormEpsilon = 1e-6f,
                TiesDecoder = false,
                QueryRank = 1536,
                HasFeedForwardBias = json.Flag("mlp_bias"),
            },
            json);
        var mixture = DeepSeekConfig.WithExperts(config, json, expertWidth: 1407, sharedExperts: 2, experts: 64);
        return mixture with
        {
            // transformers reads norm_topk_prob and does not heed it
            Router = mixture.Router with
            {
                Normalization = WeightNormalization.None,
                Groups = method == "greedy" ? null : GroupsOf(json, null, null, GroupScore.Largest)
                    ?? throw json.Refused("topk_method 'group_limited_greedy' needs n_group and topk_group"),
            },
            Mixture = mixture.Mixture! with { RoutedScale = json.Float("routed_scaling_factor", 1f) },
        };
    }

    /// <inheritdoc/>
    internal override WeightRules CreateRules() => DeepSeekConfig.ExpertRules(LatentRules());
}
