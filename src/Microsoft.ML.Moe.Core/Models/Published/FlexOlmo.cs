using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Layers;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// FlexOlmo (Shi et al. 2025, "FlexOlmo: Open language models for flexible data use"): OLMoE's attention and experts in blocks that normalise
/// what their halves give, not what they read:
/// <code>
/// x = x + rms(attention(x))
/// x = x + rms(Σ p·W2·(silu(gate·x) ∘ up·x))
/// </code>
/// </summary>
internal sealed record FlexOlmoConfig : RotaryCausalConfig
{
    /// <inheritdoc/>
    internal override string Architecture => "FlexOlmo";

    /// <inheritdoc/>
    private protected override QueryKeyNorm QueryKeyNorm => QueryKeyNorm.Whole;

    /// <inheritdoc/>
    private protected override IBlock CreateBlock(ParameterStore store, string name, IAttention attention, IFeedForward feedForward) =>
        new OutputNormBlock(name, attention, feedForward, Dropout, norm => CreateNorm(store, norm));

    /// <summary>Reads <c>config.json</c>.</summary>
    internal static FlexOlmoConfig Read(PublishedSettings json) => new FlexOlmoConfig
    {
        VocabularySize = 100352,
        Width = 4096,
        Layers = 32,
        Heads = 32,
        DenseWidth = 11008,
        Positions = 4096,
        PaddingId = 100277,
        NormEpsilon = 1e-6f,
        RotaryBase = 500_000,
        TiesDecoder = false,
        HasAttentionBias = json.Flag("attention_bias"),
        HasAttentionOutputBias = json.Flag("attention_bias"),
    }.Read(json).WithExperts(json, "num_experts", experts: 7, expertsPerToken: 5, balancing: 0.01f);

    /// <inheritdoc/>
    internal override WeightRules CreateRules() => LlamaRules("post_attention_layernorm", "post_feedforward_layernorm")
        .Copy("layers.{l}.moe.router.weight", "layers.{l}.mlp.gate.weight", transpose: true)
        .GatedExperts("layers.{l}.mlp.experts");
}
