using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// DeepSeek-V3 and R1 (DeepSeek-AI 2024, "DeepSeek-V3 technical report"): multi-head latent attention, and experts that are balanced by a bias
/// for the choice alone, without a loss:
/// <code>
/// s = sigmoid(router·x); the top k of s + b among the experts of the best groups, a group being worth its two best
/// p = s, divided by the sum over the k, times a factor
/// y = Σ p·W2·(silu(gate·x) ∘ up·x) + shared(x)
/// </code>
/// The blocks behind the last that predict further tokens (num_nextn_predict_layers) are not read. Weights in FP8 are refused: take those in
/// bfloat16.
/// </summary>
internal sealed record DeepSeekV3Config : LatentCausalConfig
{
    /// <inheritdoc/>
    internal override string Architecture => "DeepSeek-V3";

    /// <summary>Reads <c>config.json</c>.</summary>
    internal static DeepSeekV3Config Read(PublishedSettings json)
    {
        json.RefuseOther("scoring_func", "sigmoid");
        json.RefuseOther("topk_method", "noaux_tc");
        var config = ReadLatent(
            new DeepSeekV3Config
            {
                VocabularySize = 129280,
                Width = 7168,
                Layers = 61,
                Heads = 128,
                DenseWidth = 18432,
                Positions = 4096,
                NormEpsilon = 1e-6f,
                TiesDecoder = false,
                QueryRank = 1536,
                RotaryIsInterleaved = json.Flag("rope_interleave", absent: true),
            },
            json);
        var mixture = DeepSeekConfig.WithExperts(
            config, json, expertWidth: 2048, sharedExperts: 1, experts: 256, firstSparse: 3, expertsPerToken: 8);
        return mixture with
        {
            Router = mixture.Router with
            {
                ScoreFunction = ScoreFunction.Sigmoid,
                Groups = GroupsOf(json, 8, 4, GroupScore.SumOfTwoLargest),
                Normalization = json.Flag("norm_topk_prob", absent: true) ? WeightNormalization.Selected : WeightNormalization.None,
                SmallestSum = 1e-20,
            },
            Mixture = mixture.Mixture! with { HasChoiceBias = true, RoutedScale = json.Float("routed_scaling_factor", 2.5f) },
        };
    }

    /// <inheritdoc/>
    internal override WeightRules CreateRules() => DeepSeekConfig.ExpertRules(LatentRules())
        .Copy("layers.{l}.moe.router.choiceBias", "layers.{l}.mlp.gate.e_score_correction_bias")
        .Ignore($"layers.{Layers}.*");
}
