using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// gpt-oss (OpenAI 2025, "gpt-oss-120b and gpt-oss-20b model card"): heads with sinks, every second block with a window, positions lengthened by
/// YaRN, and experts with biases whose activation is bounded:
/// <code>
/// p = softmax over the top k of router·x + bias
/// y = Σ p·(W2·(g·sigmoid(1.702·g) ∘ (u + 1)) + b2)         g = min(gate·x + b, 7), u = up·x + b within ±7
/// </code>
/// Weights in MXFP4 are not read: take those in bfloat16.
/// </summary>
internal sealed record GptOssConfig : RotaryCausalConfig
{
    private const double Steepness = 1.702;
    private const double Limit = 7;

    /// <inheritdoc/>
    internal override string Architecture => "gpt-oss";

    /// <inheritdoc/>
    internal override FeedForwardSettings FeedForward => new(Activation.ClampedSwish, HasGate: true)
    {
        HasGateBias = true,
        GateActivation = Activation.ClampedIncrement,
    };

    /// <inheritdoc/>
    private protected override CausalAttentionSettings AttentionSettings => base.AttentionSettings with { HasSinks = true };

    /// <summary>Reads <c>config.json</c>.</summary>
    internal static GptOssConfig Read(PublishedSettings json)
    {
        if (json.Double("swiglu_alpha", Steepness) != Steepness || json.Double("swiglu_limit", Limit) != Limit)
            throw json.Refused($"swiglu_alpha and swiglu_limit are not supported but as {Steepness} and {Limit}");
        if (!json.Flag("attention_bias", absent: true))
            throw json.Refused("attention_bias is not supported but as true");
        var config = new GptOssConfig
        {
            VocabularySize = 201088,
            Width = 2880,
            Layers = 36,
            Heads = 64,
            DenseWidth = 2880,
            Positions = 131072,
            NormEpsilon = 1e-5f,
            RotaryBase = 150_000,
            TiesDecoder = false,
            HasAttentionBias = true,
            HasAttentionOutputBias = true,
        }.Read(json, keyValueHeads: 8, headWidth: 64);
        if (!json.Names("rope_parameters") && !json.Names("rope_scaling"))
            config = config with { RotaryScaling = OfClass };
        var types = json.Texts("layer_types");
        if (types.Count > 0 && types.Count != config.Layers)
            throw json.Refused($"layer_types has {types.Count} entries for {config.Layers} layers");
        if (types.FirstOrDefault(type => type is not ("sliding_attention" or "full_attention")) is { } unknown)
            throw json.Refused($"layer_types has '{unknown}', which is neither sliding_attention nor full_attention");
        var windowed = Enumerable.Range(0, config.Layers)
            .Where(layer => types.Count == 0 ? layer % 2 == 0 : types[layer] == "sliding_attention");
        return config.WithExperts(
            json, "num_local_experts", experts: 128, expertsPerToken: 4, balancing: 0.9f, normalizes: true) with
        {
            Window = json.Names("sliding_window") ? json.Int("sliding_window") : 128,
            WindowedBlocks = new BlockNumbers(windowed),
            Mixture = new MixtureConfig { HasRouterBias = true },
        };
    }

    /// <summary>Where a file does not speak of rotary positions.</summary>
    private static RotaryScaling OfClass => new()
    {
        Kind = RotaryScalingKind.Yarn,
        Factor = 32,
        TrainedPositions = 4096,
        RoundsPairs = false,
        Amplitude = (float)(0.1 * Math.Log(32) + 1),
    };

    /// <inheritdoc/>
    internal override WeightRules CreateRules()
    {
        const string Target = "layers.{l}.moe.";
        const string Source = "layers.{l}.mlp.";
        // gates and the others stand in turns
        return LlamaRules()
            .Copy("layers.{l}.attention.sinks", "layers.{l}.self_attn.sinks")
            .Linear(Target + "router", Source + "router")
            .Slice(Target + "experts.w1", Source + "experts.gate_up_proj", 0, of: 2, axis: 2, groups: ExpertWidth)
            .Slice(Target + "experts.gate", Source + "experts.gate_up_proj", 1, of: 2, axis: 2, groups: ExpertWidth)
            .Slice(Target + "experts.b1", Source + "experts.gate_up_proj_bias", 0, of: 2, axis: 1, groups: ExpertWidth)
            .Slice(Target + "experts.gateBias", Source + "experts.gate_up_proj_bias", 1, of: 2, axis: 1, groups: ExpertWidth)
            .Copy(Target + "experts.w2", Source + "experts.down_proj")
            .Copy(Target + "experts.b2", Source + "experts.down_proj_bias");
    }
}
