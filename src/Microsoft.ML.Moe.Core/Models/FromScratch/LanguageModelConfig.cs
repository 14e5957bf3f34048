using System.Text.Json.Nodes;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tokenizers;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// A causal language model that begins with random weights: OLMoE's blocks (Muennighoff et al. 2024, "OLMoE: Open mixture-of-experts language
/// models"), each with RMS norms, rotary positions, normalised queries and keys, and a mixture of gated experts. A dense model is one with one
/// expert (<see cref="ToDense"/>). What it becomes is saved in the form of transformers.
/// </summary>
/// <example>
/// <code language="csharp"><![CDATA[
/// var tokenizer = HuggingFaceTokenizer.Load("tokenizer.json");
/// var config = new LanguageModelConfig { Width = 128, Layers = 4, Router = Router.Unified(2, scope: RoutingScope.Prefix) };
/// Model<EncodedText> model = config.Create(engine, tokenizer, seed: 1);
/// ]]></code>
/// </example>
public sealed record LanguageModelConfig : FromScratchConfig
{
    /// <summary>Heads of keys and values, a divisor of <see cref="FromScratchConfig.Heads"/>; null, the default, for as many.</summary>
    public int? KeyValueHeads { get; init => field = OptionCheck.Range(value, 1, 4096, nameof(KeyValueHeads)); }

    /// <summary>Longest row in tokens. Within [2, 1048576]. Default 256.</summary>
    public int MaximumTokens { get; init => field = OptionCheck.Range(value, 2, 1 << 20, nameof(MaximumTokens)); } = 256;

    /// <summary>Base of the rotary frequencies. Within [0.001, 1e12]. Default 10,000.</summary>
    public double RotaryBase { get; init => field = OptionCheck.Range(value, 1e-3, 1e12, nameof(RotaryBase)); } = 10_000;

    /// <summary>
    /// How tokens and experts find each other; no later token may matter (<see cref="Router.IsCausal"/>) unless the router allows it. Default
    /// Token Choice with two experts for each token, weights normalised.
    /// </summary>
    public Router Router
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Router), "There is no router.");
    } = Router.TokenChoice();

    /// <summary>
    /// The dense model whose feed-forward networks are as wide as the experts of a token together: the same work for each token.
    /// </summary>
    public LanguageModelConfig ToDense() => this with
    {
        Experts = 1,
        ExpertWidth = (int)Math.Ceiling(Router.ExpertsPerToken * ExpertWidth),
        Router = Router.TokenChoice(1),
        LoadBalancingCoefficient = 0f,
    };

    /// <inheritdoc/>
    private protected override JsonObject ToJson(HuggingFaceTokenizer tokenizer) => new()
    {
        ["architectures"] = new JsonArray("OlmoeForCausalLM"),
        ["model_type"] = "olmoe",
        ["attention_bias"] = false,
        ["attention_dropout"] = Dropout,
        ["bos_token_id"] = IdOrNull(tokenizer.SpecialTokens.Beginning),
        ["clip_qkv"] = null,
        ["eos_token_id"] = IdOrNull(tokenizer.SpecialTokens.End),
        ["hidden_act"] = "silu",
        ["hidden_size"] = Width,
        ["initializer_range"] = InitialWeights.Deviation,
        ["intermediate_size"] = ExpertWidth,
        ["max_position_embeddings"] = MaximumTokens,
        ["norm_topk_prob"] = Router.Normalization == WeightNormalization.Selected,
        ["num_attention_heads"] = Heads,
        ["num_experts"] = Experts,
        ["num_experts_per_tok"] = (int)Math.Ceiling(Router.ExpertsPerToken),
        ["num_hidden_layers"] = Layers,
        ["num_key_value_heads"] = KeyValueHeads ?? Heads,
        ["output_router_logits"] = false,
        ["pad_token_id"] = IdOrNull(tokenizer.SpecialTokens.Padding),
        ["rms_norm_eps"] = 1e-5,
        ["rope_scaling"] = null,
        ["rope_theta"] = RotaryBase,
        ["router_aux_loss_coef"] = LoadBalancingCoefficient,
        ["tie_word_embeddings"] = TiesTables,
        ["use_cache"] = true,
        ["vocab_size"] = VocabularySizeFor(tokenizer),
    };

    /// <inheritdoc/>
    private protected override PublishedConfig Change(PublishedConfig read) => read with { Router = Router.Causal(), Dropout = Dropout };
}
