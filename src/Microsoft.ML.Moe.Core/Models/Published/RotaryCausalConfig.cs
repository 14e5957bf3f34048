using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// What causal models of Llama's kind have in common: RMS norms, rotary positions, heads of keys and values that those of queries share, and
/// feed-forward networks with a gate. Families add what is theirs.
/// </summary>
internal abstract record RotaryCausalConfig : CausalConfig
{
    /// <summary>Heads of keys and values; divides <see cref="EncoderConfig.Heads"/>.</summary>
    [JsonRequired]
    public int KeyValueHeads { get; init => field = OptionCheck.Range(value, 1, 4096, nameof(KeyValueHeads)); } = 1;

    /// <summary>Columns of a head; even where the positions turn all of them.</summary>
    [JsonRequired]
    public int HeadWidth { get; init => field = OptionCheck.Range(value, 2, 4096, nameof(HeadWidth)); } = 2;

    /// <summary>Base of the rotary frequencies.</summary>
    public double RotaryBase { get; init => field = OptionCheck.Range(value, 1e-3, 1e12, nameof(RotaryBase)); } = 10_000;

    /// <summary>Share of a head's columns that the positions turn.</summary>
    public double RotaryFraction { get; init => field = OptionCheck.Range(value, 0.0, 1.0, nameof(RotaryFraction)); } = 1;

    /// <summary>How the frequencies are changed for long rows; null for not at all.</summary>
    public RotaryScaling? RotaryScaling { get; init; }

    /// <summary>Whether queries, keys and values have biases.</summary>
    public bool HasAttentionBias { get; init; }

    /// <summary>Whether the output of the attention has a bias.</summary>
    public bool HasAttentionOutputBias { get; init; }

    /// <summary>Whether the feed-forward networks have biases.</summary>
    public bool HasFeedForwardBias { get; init; }

    /// <summary>Factor of the products of queries and keys; null for one over the root of a head's width.</summary>
    public float? AttentionScale { get; init => field = OptionCheck.Range(value, 1e-6f, 1e6f, nameof(AttentionScale)); }

    /// <summary>Tokens that a token sees, itself counted, in the blocks of <see cref="WindowedBlocks"/>; null for all.</summary>
    public int? Window { get; init => field = OptionCheck.Range(value, 1, int.MaxValue, nameof(Window)); }

    /// <summary>The blocks with a window; null for all.</summary>
    public BlockNumbers? WindowedBlocks { get; init; }

    /// <inheritdoc/>
    internal override bool HeadsDivideWidth => false;

    /// <inheritdoc/>
    internal override bool HasPositionTable => false;

    /// <inheritdoc/>
    internal override FeedForwardSettings FeedForward =>
        new(Activation, HasGate: true, HasBias: HasFeedForwardBias) { HasGateBias = HasFeedForwardBias };

    /// <inheritdoc/>
    internal override (int Queries, int KeysAndValues) AttentionWidths => (Heads * HeadWidth, KeyValueHeads * HeadWidth);

    /// <summary>Where queries and keys are normalised.</summary>
    private protected virtual QueryKeyNorm QueryKeyNorm => QueryKeyNorm.None;

    /// <summary>Whether columns 2i and 2i + 1 are turned together, rather than the halves of a head.</summary>
    private protected virtual bool IsRotaryInterleaved => false;

    /// <summary>Base of the rotary frequencies, with what a family makes of it.</summary>
    private protected virtual double FrequencyBase => RotaryBase;

    /// <summary>Form of the attention, without its window.</summary>
    private protected virtual CausalAttentionSettings AttentionSettings
    {
        get
        {
            var width = (int)(HeadWidth * RotaryFraction);
            var rotary = RotaryScaling?.Apply(width, FrequencyBase, IsRotaryInterleaved)
                ?? new RotaryFrequencies(RotaryScaling.FrequenciesOf(width, FrequencyBase), IsRotaryInterleaved);
            var spec = new AttentionSpec(Heads, KeyValueHeads)
            {
                IsCausal = true,
                Dropout = AttentionDropout,
                Scale = AttentionScale is { } scale ? Math.Min(1f, scale) : null,
            };
            return new CausalAttentionSettings(HeadWidth, spec, rotary)
            {
                HasBias = HasAttentionBias,
                HasOutputBias = HasAttentionOutputBias,
                Norm = QueryKeyNorm,
                NormEpsilon = NormEpsilon,
                QueryScale = Math.Max(1f, AttentionScale ?? 1f),
            };
        }
    }

    /// <inheritdoc/>
    private protected override INorm CreateNorm(ParameterStore store, string name) => new RmsNorm(store, name, Width, NormEpsilon);

    /// <inheritdoc/>
    private protected override Func<string, int, IAttention> AttentionOf(ParameterStore store)
    {
        var settings = AttentionSettings;
        var windowed = settings with { Spec = settings.Spec with { Window = Window } };
        return (name, layer) => new CausalAttention(store, name, Width, WindowedBlocks?.Contains(layer) ?? true ? windowed : settings);
    }

    /// <summary>Where the weights are that most families name as Llama does: all but experts.</summary>
    /// <param name="attentionNorm">Name of the norm of a block's first half.</param>
    /// <param name="feedForwardNorm">Name of that of its second half.</param>
    /// <param name="queryNorm">Name of the norm of queries.</param>
    /// <param name="keyNorm">Name of that of keys.</param>
    /// <param name="own">Rules that come before these; null for none.</param>
    private protected WeightRules LlamaRules(
        string attentionNorm = "input_layernorm",
        string feedForwardNorm = "post_attention_layernorm",
        string queryNorm = "q_norm",
        string keyNorm = "k_norm",
        WeightRules? own = null)
    {
        const string Layer = "layers.{l}.";
        const string Attention = Layer + "self_attn.";
        return (own ?? new WeightRules(Architecture))
            .Prefixes("", "model.")
            .Copy("embedding.words", "embed_tokens.weight")
            .Copy("outputNorm.gain", "norm.weight")
            .Copy(NextTokenWeight, "lm_head.weight")
            .Linear("layers.{l}.attention.queries", Attention + "q_proj")
            .Linear("layers.{l}.attention.keys", Attention + "k_proj")
            .Linear("layers.{l}.attention.values", Attention + "v_proj")
            .Linear("layers.{l}.attention.output", Attention + "o_proj")
            .Copy("layers.{l}.attention.queryNorm.gain", $"{Attention}{queryNorm}.weight")
            .Copy("layers.{l}.attention.keyNorm.gain", $"{Attention}{keyNorm}.weight")
            .Copy("layers.{l}.attentionNorm.gain", $"{Layer}{attentionNorm}.weight")
            .Gated("layers.{l}.feedForward", Layer + "mlp")
            .Copy("layers.{l}.feedForwardNorm.gain", $"{Layer}{feedForwardNorm}.weight")
            .Ignore("*rotary_emb.*", "lm_head.weight");
    }
}
