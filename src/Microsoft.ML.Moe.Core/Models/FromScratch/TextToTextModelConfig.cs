using System.Text.Json.Nodes;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tokenizers;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// An encoder–decoder that begins with random weights: Switch Transformers (Fedus et al. 2021, "Switch Transformers: Scaling to trillion
/// parameter models"), whose tokens have one expert each. What it becomes is saved in the form of transformers.
/// </summary>
public sealed record TextToTextModelConfig : FromScratchConfig
{
    /// <summary>
    /// Every n-th block of either stack has a MoE layer, beginning with the second. Within [2, 512]. Default 2.
    /// </summary>
    public int MoeEvery { get; init => field = OptionCheck.Range(value, 2, 512, nameof(MoeEvery)); } = 2;

    /// <summary>Columns of a head; null, the default, for an equal part of the width.</summary>
    public int? HeadWidth { get; init => field = OptionCheck.Range(value, 1, 4096, nameof(HeadWidth)); }

    /// <summary>Tokens of a row that an expert takes at most. Within [0, 1048576]. Default 64.</summary>
    public int ExpertCapacity { get; init => field = OptionCheck.Range(value, 0, 1 << 20, nameof(ExpertCapacity)); } = 64;

    /// <summary>Coefficient of the router z-loss (Zoph et al. 2022), within [0, 1000]. Default 0.001.</summary>
    public float RouterZLossCoefficient { get; init => field = OptionCheck.Range(value, 0f, 1000f, nameof(RouterZLossCoefficient)); } = 0.001f;

    /// <summary>Router inputs are multiplied by random numbers within 1 ± this while training, within [0, 1). Default 0.01.</summary>
    public float RouterJitter { get; init => field = OptionCheck.Rate(value, nameof(RouterJitter)); } = 0.01f;

    /// <inheritdoc/>
    private protected override JsonObject ToJson(HuggingFaceTokenizer tokenizer) => new()
    {
        ["architectures"] = new JsonArray("SwitchTransformersForConditionalGeneration"),
        ["model_type"] = "switch_transformers",
        ["add_router_probs"] = false,
        ["d_ff"] = ExpertWidth,
        ["d_kv"] = HeadWidth ?? Width / Heads,
        ["d_model"] = Width,
        ["decoder_sparse_step"] = MoeEvery,
        ["decoder_start_token_id"] = tokenizer.SpecialTokens.Padding is >= 0 and var padding ? padding : 0,
        ["dense_act_fn"] = "relu",
        ["dropout_rate"] = Dropout,
        ["encoder_sparse_step"] = MoeEvery,
        ["eos_token_id"] = IdOrNull(tokenizer.SpecialTokens.End),
        ["expert_capacity"] = ExpertCapacity,
        ["feed_forward_proj"] = "relu",
        ["initializer_factor"] = 1.0,
        ["is_encoder_decoder"] = true,
        ["is_gated_act"] = false,
        ["layer_norm_epsilon"] = 1e-6,
        ["num_decoder_layers"] = Layers,
        ["num_experts"] = Experts,
        ["num_heads"] = Heads,
        ["num_layers"] = Layers,
        ["num_sparse_decoder_layers"] = Layers / MoeEvery,
        ["num_sparse_encoder_layers"] = Layers / MoeEvery,
        ["pad_token_id"] = IdOrNull(tokenizer.SpecialTokens.Padding),
        ["relative_attention_max_distance"] = 128,
        ["relative_attention_num_buckets"] = 32,
        ["router_aux_loss_coef"] = LoadBalancingCoefficient,
        ["router_bias"] = false,
        ["router_dtype"] = "float32",
        ["router_ignore_padding_tokens"] = false,
        ["router_jitter_noise"] = RouterJitter,
        ["router_z_loss_coef"] = RouterZLossCoefficient,
        ["tie_word_embeddings"] = TiesTables,
        ["use_cache"] = true,
        ["vocab_size"] = VocabularySizeFor(tokenizer),
    };

    /// <inheritdoc/>
    private protected override PublishedConfig Change(PublishedConfig read) => read;
}
