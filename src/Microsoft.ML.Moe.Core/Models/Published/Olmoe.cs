using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// OLMoE (Muennighoff et al. 2024, "OLMoE: Open mixture-of-experts language models"): Llama's blocks with experts in all of them, and queries
/// and keys that are normalised, all heads together:
/// <code>
/// q, k, v = clip(rms(Wq·x)), clip(rms(Wk·x)), clip(Wv·x)      the clip where the file asks for it
/// p = softmax(router·x); the top k
/// y = Σ p·W2·(silu(gate·x) ∘ up·x)
/// </code>
/// </summary>
internal sealed record OlmoeConfig : RotaryCausalConfig
{
    /// <summary>Queries, keys and values are kept within ±this; null for no bound.</summary>
    public float? Clip { get; init => field = OptionCheck.Range(value, 1e-6f, 1e6f, nameof(Clip)); }

    /// <inheritdoc/>
    internal override string Architecture => "OLMoE";

    /// <inheritdoc/>
    private protected override QueryKeyNorm QueryKeyNorm => QueryKeyNorm.Whole;

    /// <inheritdoc/>
    private protected override CausalAttentionSettings AttentionSettings => base.AttentionSettings with { Clip = Clip };

    /// <summary>Reads <c>config.json</c>.</summary>
    internal static OlmoeConfig Read(PublishedSettings json) => new OlmoeConfig
    {
        VocabularySize = 50304,
        Width = 2048,
        Layers = 16,
        Heads = 16,
        DenseWidth = 2048,
        Positions = 4096,
        PaddingId = 1,
        NormEpsilon = 1e-5f,
        TiesDecoder = false,
        HasAttentionBias = json.Flag("attention_bias"),
        HasAttentionOutputBias = json.Flag("attention_bias"),
        Clip = json.Has("clip_qkv") ? json.Float("clip_qkv", 0f) : null,
    }.Read(json).WithExperts(json, "num_experts", experts: 64, expertsPerToken: 8, balancing: 0.01f);

    /// <inheritdoc/>
    internal override WeightRules CreateRules() => LlamaRules()
        .Copy("layers.{l}.moe.router.weight", "layers.{l}.mlp.gate.weight", transpose: true)
        .GatedExperts("layers.{l}.mlp.experts");
}
