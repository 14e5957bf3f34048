using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// DeepSeekMoE (Dai et al. 2024, "DeepSeekMoE: Towards ultimate expert specialization in mixture-of-experts language models"): Llama's blocks,
/// of which those after the first have many small experts, some of which all tokens go to:
/// <code>
/// p = softmax(router·x); the top k, perhaps divided by their sum
/// y = Σ p·W2·(silu(gate·x) ∘ up·x) + shared(x)          the shared experts are one network as wide as all of them
/// </code>
/// The balance loss of its training, which is one of each sequence, is not taken; what is asked for is that of transformers' mixtures.
/// </summary>
internal sealed record DeepSeekConfig : RotaryCausalConfig
{
    /// <inheritdoc/>
    internal override string Architecture => "DeepSeekMoE";

    /// <summary>Reads <c>config.json</c>.</summary>
    internal static DeepSeekConfig Read(PublishedSettings json)
    {
        json.RefuseOther("scoring_func", "softmax");
        var config = new DeepSeekConfig
        {
            VocabularySize = 102400,
            Width = 4096,
            Layers = 30,
            Heads = 32,
            DenseWidth = 11008,
            Positions = 2048,
            NormEpsilon = 1e-6f,
            TiesDecoder = false,
            HasAttentionBias = json.Flag("attention_bias"),
            HasAttentionOutputBias = json.Flag("attention_bias"),
        }.Read(json);
        return json.Has("n_routed_experts") ? WithExperts(config, json, expertWidth: 1407, sharedExperts: 0) : config;
    }

    /// <summary>The mixtures that all of DeepSeek's models say in the same way; the router is that of the first.</summary>
    /// <param name="dense">The architecture without its experts.</param>
    /// <param name="json">The file.</param>
    /// <param name="expertWidth">Hidden width of an expert where the file does not tell.</param>
    /// <param name="sharedExperts">Experts that all tokens go to where it is silent.</param>
    /// <param name="experts">Experts where it is silent.</param>
    /// <param name="firstSparse">First block with experts where it is silent.</param>
    /// <param name="expertsPerToken">Experts of a token where it is silent; null where it must tell.</param>
    internal static T WithExperts<T>(
        T dense,
        PublishedSettings json,
        int expertWidth,
        int sharedExperts,
        int? experts = null,
        int firstSparse = 0,
        int? expertsPerToken = null)
        where T : RotaryCausalConfig
    {
        var first = json.Int("first_k_dense_replace", firstSparse);
        var step = json.Step("moe_layer_freq");
        var ofToken = json.Int("num_experts_per_tok") ?? expertsPerToken ?? throw json.Refused("num_experts_per_tok is missing");
        var width = json.Int("moe_intermediate_size", expertWidth);
        var shared = json.Names("n_shared_experts") ? json.Int("n_shared_experts", 0) : sharedExperts;
        return (T)(dense with
        {
            MoeAt = new BlockNumbers(Enumerable.Range(0, dense.Layers).Where(block => block >= first && block % step == 0)),
            Experts = json.Int("n_routed_experts") ?? experts ?? throw json.Refused("n_routed_experts is missing"),
            ExpertWidth = width,
            Router = Router.TokenChoice(ofToken, json.Flag("norm_topk_prob") && ofToken > 1),
            Mixture = new MixtureConfig { SharedWidth = checked(width * shared) },
            LoadBalancingCoefficient = 0f,
        });
    }

    /// <summary>Where the mixtures' weights are in all of DeepSeek's models.</summary>
    internal static WeightRules ExpertRules(WeightRules rules) => rules
        .Copy("layers.{l}.moe.router.weight", "layers.{l}.mlp.gate.weight", transpose: true)
        .GatedExperts("layers.{l}.mlp.experts")
        .Gated("layers.{l}.moe.shared", "layers.{l}.mlp.shared_experts");

    /// <inheritdoc/>
    internal override WeightRules CreateRules() => ExpertRules(LlamaRules());
}
