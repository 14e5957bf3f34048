using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// Mixtral (Jiang et al. 2024, "Mixtral of experts"): Llama's blocks with experts in all of them:
/// <code>
/// p = softmax(router·x); the top k, divided by their sum
/// y = Σ p·W2·(silu(W1·x) ∘ W3·x)
/// </code>
/// </summary>
internal sealed record MixtralConfig : RotaryCausalConfig
{
    /// <inheritdoc/>
    internal override string Architecture => "Mixtral";

    /// <summary>Reads <c>config.json</c>.</summary>
    internal static MixtralConfig Read(PublishedSettings json) => new MixtralConfig
    {
        VocabularySize = 32000,
        Width = 4096,
        Layers = 32,
        Heads = 32,
        DenseWidth = 14336,
        Positions = 131072,
        NormEpsilon = 1e-5f,
        RotaryBase = 1e6,
        TiesDecoder = false,
        Window = json.Int("sliding_window"),
    }.Read(json, keyValueHeads: 8)
        .WithExperts(json, "num_local_experts", experts: 8, expertsPerToken: 2, balancing: 0.001f, normalizes: true);

    /// <inheritdoc/>
    internal override WeightRules CreateRules() => LlamaRules()
        .Copy(
            "layers.{l}.moe.router.weight", "layers.{l}.block_sparse_moe.gate.weight | layers.{l}.mlp.gate.weight", transpose: true)
        .GatedExperts("layers.{l}.block_sparse_moe.experts", gate: "w1", up: "w3", down: "w2")
        .GatedExperts("layers.{l}.mlp.experts");
}
