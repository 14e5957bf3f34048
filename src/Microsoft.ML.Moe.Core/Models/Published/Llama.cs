using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// Llama (Touvron et al. 2023, "LLaMA: Open and efficient foundation language models"), as Hugging Face publishes it:
/// <code>
/// x = word[id]
/// x = x + Wo·attention(rms(x))                     causal, rotary positions, heads of keys and values shared
/// x = x + W2·(silu(gate·rms(x)) ∘ up·rms(x))
/// next token: rms(x)·head
/// </code>
/// </summary>
internal sealed record LlamaConfig : RotaryCausalConfig
{
    /// <inheritdoc/>
    internal override string Architecture => "Llama";

    /// <summary>Reads <c>config.json</c>.</summary>
    internal static LlamaConfig Read(PublishedSettings json) => new LlamaConfig
    {
        VocabularySize = 32000,
        Width = 4096,
        Layers = 32,
        Heads = 32,
        DenseWidth = 11008,
        Positions = 2048,
        NormEpsilon = 1e-6f,
        TiesDecoder = false,
        HasAttentionBias = json.Flag("attention_bias"),
        HasAttentionOutputBias = json.Flag("attention_bias"),
        HasFeedForwardBias = json.Flag("mlp_bias"),
    }.Read(json);

    /// <inheritdoc/>
    internal override WeightRules CreateRules() => LlamaRules();
}
