using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// What causal models with multi-head latent attention have in common (DeepSeek-AI 2024, "DeepSeek-V2", section 2.1); see
/// <see cref="LatentAttention"/>.
/// </summary>
internal abstract record LatentCausalConfig : RotaryCausalConfig
{
    /// <summary>Width of what queries are made of; null where they are made of the states themselves.</summary>
    public int? QueryRank { get; init => field = OptionCheck.Range(value, 1, 65536, nameof(QueryRank)); }

    /// <summary>Width of what keys and values are made of.</summary>
    public int KeyValueRank { get; init => field = OptionCheck.Range(value, 1, 65536, nameof(KeyValueRank)); } = 512;

    /// <summary>Columns of a head of queries and keys that positions do not turn.</summary>
    public int PlainWidth { get; init => field = OptionCheck.Range(value, 1, 4096, nameof(PlainWidth)); } = 128;

    /// <summary>Columns of a head of values.</summary>
    public int ValueWidth { get; init => field = OptionCheck.Range(value, 1, 4096, nameof(ValueWidth)); } = 128;

    /// <summary>Whether the turned columns 2i and 2i + 1 are a pair.</summary>
    public bool RotaryIsInterleaved { get; init; } = true;

    /// <inheritdoc/>
    internal override (int Queries, int KeysAndValues) AttentionWidths =>
        (Heads * (PlainWidth + HeadWidth), Heads * Math.Max(PlainWidth + HeadWidth, ValueWidth));

    /// <inheritdoc/>
    private protected override bool IsRotaryInterleaved => RotaryIsInterleaved;

    /// <summary>Takes what a file says in place of the defaults; a head's width is then that of its turned columns.</summary>
    /// <param name="defaults">What the class of transformers has where the file is silent.</param>
    /// <param name="json">The file.</param>
    private protected static T ReadLatent<T>(T defaults, PublishedSettings json)
        where T : LatentCausalConfig
    {
        if (json.Int("moe_layer_freq", 1) is not 1 and var step)
            throw json.Refused($"moe_layer_freq {step} is not supported: only 1 is");
        var config = defaults.Read(json) with
        {
            // what the file calls head_dim is no more than this
            HeadWidth = json.Int("qk_rope_head_dim", 64),
            QueryRank = json.Names("q_lora_rank") ? json.Int("q_lora_rank") : defaults.QueryRank,
            KeyValueRank = json.Int("kv_lora_rank", defaults.KeyValueRank),
            PlainWidth = json.Int("qk_nope_head_dim", defaults.PlainWidth),
            ValueWidth = json.Int("v_head_dim", defaults.ValueWidth),
            HasAttentionBias = json.Flag("attention_bias"),
            HasAttentionOutputBias = json.Flag("attention_bias"),
        };
        if (config.HeadWidth % 2 != 0)
            throw json.Refused($"qk_rope_head_dim {config.HeadWidth} is odd");
        if (config.KeyValueHeads != config.Heads)
            throw json.Refused($"num_key_value_heads {config.KeyValueHeads} is not num_attention_heads {config.Heads}, as it must be here");
        var width = config.PlainWidth + config.HeadWidth;
        return (T)(config with { AttentionScale = (float)(SharpnessOf(json) / Math.Sqrt(width)) });
    }

    /// <summary>Groups of experts that a token chooses from, as the file has them; null for one.</summary>
    /// <param name="json">The file.</param>
    /// <param name="count">Number of groups where it is silent.</param>
    /// <param name="kept">Groups of a token where it is silent.</param>
    /// <param name="score">What a group is worth.</param>
    private protected static ExpertGroups? GroupsOf(PublishedSettings json, int? count, int? kept, GroupScore score)
    {
        count = json.Names("n_group") ? json.Int("n_group") : count;
        kept = json.Names("topk_group") ? json.Int("topk_group") : kept;
        return count is null && kept is null ? null
            : count is { } groups && kept is { } ofToken ? new ExpertGroups(groups, ofToken, score)
            : throw json.Refused("n_group and topk_group are both numbers, or neither is");
    }

    /// <summary>
    /// Factor of the scores of models that YaRN has lengthened: the square of the magnitude that is meant for all columns, turned or not.
    /// </summary>
    private static double SharpnessOf(PublishedSettings json)
    {
        var part = RotaryScaling.PartOf(json);
        var (factor, ofAll) = (part.Double("factor", 1), part.Double("mscale_all_dim", 0));
        var magnitude = factor <= 1 || ofAll == 0 ? 1 : 0.1 * ofAll * Math.Log(factor) + 1;
        return magnitude * magnitude;
    }

    /// <inheritdoc/>
    private protected override Func<string, int, IAttention> AttentionOf(ParameterStore store)
    {
        var settings = AttentionSettings;
        return (name, _) => new LatentAttention(store, name, this, settings);
    }

    /// <summary>Where the weights are, but for those of mixtures.</summary>
    private protected WeightRules LatentRules()
    {
        const string Target = "layers.{l}.attention.";
        const string Source = "layers.{l}.self_attn.";
        var (rank, turned) = (KeyValueRank, HeadWidth);
        var ofHead = PlainWidth + ValueWidth;
        return LlamaRules()
            .Linear(Target + "queriesDown", Source + "q_a_proj")
            .Copy(Target + "queriesNorm.gain", Source + "q_a_layernorm.weight")
            .Linear(Target + "queriesUp", Source + "q_b_proj")
            .Run(Target + "keysValuesDown.weight", Source + "kv_a_proj_with_mqa.weight", 0, rank, rank + turned, transpose: true)
            .Run(Target + "keysValuesDown.bias", Source + "kv_a_proj_with_mqa.bias", 0, rank, rank + turned)
            .Run(Target + "turnedKeys.weight", Source + "kv_a_proj_with_mqa.weight", rank, turned, rank + turned, transpose: true)
            .Run(Target + "turnedKeys.bias", Source + "kv_a_proj_with_mqa.bias", rank, turned, rank + turned)
            .Copy(Target + "keysValuesNorm.gain", Source + "kv_a_layernorm.weight")
            .Run(Target + "keysUp.weight", Source + "kv_b_proj.weight", 0, PlainWidth, ofHead, Heads, transpose: true)
            .Run(Target + "valuesUp.weight", Source + "kv_b_proj.weight", PlainWidth, ValueWidth, ofHead, Heads, transpose: true);
    }
}
