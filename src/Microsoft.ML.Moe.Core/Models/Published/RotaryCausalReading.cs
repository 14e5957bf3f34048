using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>Reads what the <c>config.json</c> of causal models of Llama's kind have in common, of transformers 4 or 5.</summary>
internal static class RotaryCausalReading
{
    /// <summary>Takes what a file says in place of the defaults of its class.</summary>
    /// <param name="defaults">What the class of transformers has where a file is silent.</param>
    /// <param name="json">The file.</param>
    /// <param name="keyValueHeads">Heads of keys and values where it does not tell; null for as many as of queries.</param>
    /// <param name="headWidth">Columns of a head where it does not tell; null for an equal part of the width.</param>
    /// <param name="readsScaling">Whether what the file says of rotary scaling is taken here.</param>
    public static T Read<T>(
        this T defaults, PublishedSettings json, int? keyValueHeads = null, int? headWidth = null, bool readsScaling = true)
        where T : RotaryCausalConfig
    {
        var rotary = json.Part("rope_parameters");
        var positions = json.Int("max_position_embeddings", defaults.Positions);
        var config = defaults with
        {
            VocabularySize = json.Int("vocab_size", defaults.VocabularySize),
            Width = json.Int("hidden_size", defaults.Width),
            Layers = json.Int("num_hidden_layers", defaults.Layers),
            Heads = json.Int("num_attention_heads", defaults.Heads),
            DenseWidth = json.Int("intermediate_size") ?? defaults.DenseWidth,
            Activation = json.Activation("hidden_act", "silu"),
            Positions = positions,
            PaddingId = Math.Max(0, json.Int("pad_token_id", defaults.PaddingId)),
            NormEpsilon = json.Float("rms_norm_eps", defaults.NormEpsilon),
            Dropout = 0f,
            AttentionDropout = json.Float("attention_dropout", 0f),
            RotaryBase = rotary.Double("rope_theta", json.Double("rope_theta", defaults.RotaryBase)),
            RotaryFraction = rotary.Double("partial_rotary_factor", json.Double("partial_rotary_factor", defaults.RotaryFraction)),
            RotaryScaling = readsScaling ? RotaryScaling.Read(json, positions) : null,
            TiesDecoder = json.Flag("tie_word_embeddings", defaults.TiesDecoder),
        };
        config = config with
        {
            KeyValueHeads = json.Int("num_key_value_heads", keyValueHeads ?? config.Heads),
            HeadWidth = json.Int("head_dim", headWidth ?? config.Width / config.Heads),
        };
        if (config.Heads % config.KeyValueHeads != 0)
            throw json.Refused($"num_key_value_heads {config.KeyValueHeads} does not divide num_attention_heads {config.Heads}");
        if (config.RotaryFraction == 1 && config.HeadWidth % 2 != 0)
            throw json.Refused($"head_dim {config.HeadWidth} is odd");
        return (T)config;
    }

    /// <summary>A mixture in each block, as most families say it.</summary>
    /// <param name="dense">The architecture without its experts.</param>
    /// <param name="json">The file.</param>
    /// <param name="expertsName">What the file calls the number of experts; transformers 5 may call it num_local_experts.</param>
    /// <param name="experts">Experts where the file does not tell.</param>
    /// <param name="expertsPerToken">Experts of a token where it does not tell.</param>
    /// <param name="balancing">Coefficient of the load-balancing loss where it does not tell.</param>
    /// <param name="normalizes">Whether a token's weights are divided by their sum; null where the file tells.</param>
    /// <param name="widthName">What the file calls the hidden width of an expert.</param>
    /// <param name="expertWidth">The width where it does not tell; null for that of the dense network.</param>
    /// <param name="blocks">The blocks with experts; null for all.</param>
    public static T WithExperts<T>(
        this T dense,
        PublishedSettings json,
        string expertsName,
        int experts,
        int expertsPerToken,
        float balancing,
        bool? normalizes = null,
        string widthName = "intermediate_size",
        int? expertWidth = null,
        IEnumerable<int>? blocks = null)
        where T : RotaryCausalConfig => (T)(dense with
        {
            MoeAt = new BlockNumbers(blocks ?? Enumerable.Range(0, dense.Layers)),
            Experts = json.Int(expertsName) ?? json.Int("num_local_experts", experts),
            ExpertWidth = json.Int(widthName) ?? expertWidth ?? dense.FeedForwardWidth,
            Router = Router.TokenChoice(
                json.Int("num_experts_per_tok", expertsPerToken), normalizes ?? json.Flag("norm_topk_prob")),
            LoadBalancingCoefficient = json.Float("router_aux_loss_coef", balancing),
        });
}
