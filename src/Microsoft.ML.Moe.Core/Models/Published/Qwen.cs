using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// Qwen2 (Yang et al. 2024, "Qwen2 technical report", section 2.2.1) and Qwen3 (2025, "Qwen3 technical report", section 2): Llama's blocks.
/// Queries, keys and values of Qwen2 have biases; Qwen3 normalises queries and keys instead, each head by itself.
/// </summary>
internal sealed record QwenConfig : RotaryCausalConfig
{
    /// <summary>Whether queries and keys are normalised, each head by itself.</summary>
    public bool NormsHeads { get; init; }

    /// <inheritdoc/>
    internal override string Architecture => NormsHeads ? "Qwen3" : "Qwen2";

    /// <inheritdoc/>
    private protected override QueryKeyNorm QueryKeyNorm => NormsHeads ? QueryKeyNorm.Heads : QueryKeyNorm.None;

    /// <summary>Reads <c>config.json</c> of Qwen2.</summary>
    internal static QwenConfig ReadSecond(PublishedSettings json) =>
        Windowed(Defaults with { HasAttentionBias = true }, json, headWidth: null);

    /// <summary>Reads <c>config.json</c> of Qwen3.</summary>
    internal static QwenConfig ReadThird(PublishedSettings json)
    {
        var bias = json.Flag("attention_bias");
        return Windowed(
            Defaults with { NormsHeads = true, HasAttentionBias = bias, HasAttentionOutputBias = bias }, json, headWidth: 128);
    }

    private static QwenConfig Defaults => new()
    {
        VocabularySize = 151936,
        Width = 4096,
        Layers = 32,
        Heads = 32,
        DenseWidth = 22016,
        Positions = 32768,
        NormEpsilon = 1e-6f,
        TiesDecoder = false,
    };

    private static QwenConfig Windowed(QwenConfig defaults, PublishedSettings json, int? headWidth)
    {
        var config = defaults.Read(json, keyValueHeads: 32, headWidth);
        if (!json.Flag("use_sliding_window"))
            return config;
        var from = json.Int("max_window_layers", 28);
        var types = json.Texts("layer_types");
        if (types.Count > 0 && types.Count != config.Layers)
            throw json.Refused($"layer_types names {types.Count} of {config.Layers} blocks");
        return config with
        {
            Window = json.Int("sliding_window", 4096),
            WindowedBlocks = new BlockNumbers(Enumerable.Range(0, config.Layers).Where(block =>
                types.Count > 0 ? types[block] == "sliding_attention" : block >= from)),
        };
    }

    /// <inheritdoc/>
    internal override WeightRules CreateRules() => LlamaRules();
}
