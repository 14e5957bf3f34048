using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Layers;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// The mixtures of Granite 3 (IBM 2024, "Granite 3.0 language models"), perhaps with an expert that all tokens go to; their scales are those of
/// maximal update parametrisation:
/// <code>
/// x = a·word[id]                                    scores of the attention: s·q·k
/// x = x + r·Wo·attention(rms(x))
/// x = x + r·(Σ p·W2·(silu(gate·x') ∘ up·x') + shared(x')), x' = rms(x)      p: softmax over the top k of router·x'
/// next token: rms(x)·head / c
/// </code>
/// </summary>
internal sealed record GraniteMoeConfig : RotaryCausalConfig
{
    /// <summary>Factor r of what attention and experts add.</summary>
    public float ResidualScale { get; init => field = OptionCheck.Range(value, 1e-6f, 1e6f, nameof(ResidualScale)); } = 1f;

    /// <inheritdoc/>
    internal override string Architecture => "GraniteMoE";

    /// <inheritdoc/>
    private protected override IBlock CreateBlock(ParameterStore store, string name, IAttention attention, IFeedForward feedForward) =>
        new PreNormBlock(name, attention, feedForward, Dropout, norm => CreateNorm(store, norm), ResidualScale);

    /// <summary>Reads <c>config.json</c>.</summary>
    internal static GraniteMoeConfig Read(PublishedSettings json)
    {
        json.RefuseOther("position_embedding_type", "rope");
        return new GraniteMoeConfig
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
            EmbeddingScale = json.Float("embedding_multiplier", 1f),
            AttentionScale = json.Float("attention_multiplier", 1f),
            ResidualScale = json.Float("residual_multiplier", 1f),
            ScoreScale = (float)(1 / json.Double("logits_scaling", 1)),
            Mixture = new MixtureConfig { SharedWidth = json.Int("shared_intermediate_size", 0) },
        }.Read(json).WithExperts(json, "num_local_experts", experts: 8, expertsPerToken: 2, balancing: 0.001f, normalizes: true);
    }

    /// <inheritdoc/>
    internal override WeightRules CreateRules()
    {
        const string Experts = "layers.{l}.block_sparse_moe.";
        const string Shared = "layers.{l}.shared_mlp.";
        return LlamaRules()
            .Copy("layers.{l}.moe.router.weight", Experts + "router.layer.weight", transpose: true)
            .Slice("layers.{l}.moe.experts.w1", Experts + "input_linear.weight", 0, of: 2, axis: 1, transpose: true)
            .Slice("layers.{l}.moe.experts.gate", Experts + "input_linear.weight", 1, of: 2, axis: 1, transpose: true)
            .Copy("layers.{l}.moe.experts.w2", Experts + "output_linear.weight", transpose: true)
            .Copy("layers.{l}.moe.router.weight", "layers.{l}.mlp.gate.weight", transpose: true)
            .GatedExperts("layers.{l}.mlp.experts")
            .Slice("layers.{l}.moe.shared.first.weight", Shared + "input_linear.weight", 0, of: 2, transpose: true)
            .Slice("layers.{l}.moe.shared.gate.weight", Shared + "input_linear.weight", 1, of: 2, transpose: true)
            .Copy("layers.{l}.moe.shared.second.weight", Shared + "output_linear.weight", transpose: true);
    }
}
