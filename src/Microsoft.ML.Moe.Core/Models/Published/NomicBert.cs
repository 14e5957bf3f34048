using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// nomic-bert (Nussbaum et al. 2024, "Nomic Embed"; Nussbaum and Duderstadt 2025, "Training sparse mixture of experts text embedding
/// models"): BERT's post-norm blocks with rotary positions, gated feed-forward networks in version 1, and in version 2 a mixture of experts
/// in every second block:
/// <code>
/// p = softmax(router·x); the top k, not renormalised
/// y = Σ p·W2ᵀ·gelu(W1·x) + bias                one bias for all experts, after the sum
/// </code>
/// Read as the published program saves it and, without experts, as transformers' own class does.
/// </summary>
internal sealed record NomicBertConfig : PublishedConfig
{
    /// <summary>Gated networks are as wide as the next multiple of this.</summary>
    private const int GatedMultiple = 256;

    private static readonly string[] Projections = ["queries", "keys", "values"];

    private static readonly string[] Unsupported =
        ["prenorm", "parallel_block", "causal", "use_rms_norm", "scale_attn_by_inverse_layer_idx", "expert_choice_router"];

    /// <summary>Base of the rotary frequencies.</summary>
    public double RotaryBase { get; init => field = OptionCheck.Range(value, 1e-3, 1e12, nameof(RotaryBase)); } = 10_000;

    /// <summary>Share of a head's columns that are turned; 0 for a table of positions instead.</summary>
    public double RotaryFraction { get; init => field = OptionCheck.Range(value, 0.0, 1.0, nameof(RotaryFraction)); } = 1;

    /// <summary>Whether neighbouring columns are a pair.</summary>
    public bool RotaryIsInterleaved { get; init; }

    /// <summary>
    /// Scale s of rows longer than <see cref="TrainedPositions"/>: the base grows with their length (dynamic NTK); null for none.
    /// </summary>
    public double? RotaryScale { get; init => field = OptionCheck.Range(value, 1e-3, 1e6, nameof(RotaryScale)); }

    /// <summary>Length up to which the rotary base is as it is.</summary>
    public int TrainedPositions { get; init => field = OptionCheck.Range(value, 1, 1 << 24, nameof(TrainedPositions)); } = 2048;

    /// <summary>Whether dense feed-forward networks have a gate.</summary>
    public bool HasGate { get; init; }

    /// <summary>Whether the projections of the attention have biases.</summary>
    public bool HasAttentionBias { get; init; }

    /// <summary>Whether the first layers of feed-forward networks, and the layers of masked language modelling, have biases.</summary>
    public bool HasFirstBias { get; init; }

    /// <summary>Whether the second layer of feed-forward networks has a bias.</summary>
    public bool HasSecondBias { get; init; }

    /// <summary>Whether experts have no biases of their own, but one for all: so in the published mixture.</summary>
    public bool SharesExpertBias { get; init; }

    /// <summary>Activation of the head of masked language modelling.</summary>
    public Activation HeadActivation { get; init => field = OptionCheck.Defined(value, nameof(HeadActivation)); } = Activation.GeluErf;

    /// <inheritdoc/>
    internal override string Architecture => MoeLayers > 0 ? "nomic-bert with a mixture of experts" : "nomic-bert";

    /// <inheritdoc/>
    internal override bool HasPositionTable => RotaryFraction == 0;

    /// <inheritdoc/>
    internal override FeedForwardSettings FeedForward =>
        new(Activation, HasGate, HasFirstBias) { HasGateBias = HasFirstBias, HasSecondBias = HasSecondBias };

    /// <inheritdoc/>
    internal override MaskedTokenHeadConfig MaskedTokens =>
        base.MaskedTokens with { Activation = HeadActivation, HasBias = HasFirstBias };

    /// <inheritdoc/>
    private protected override MoeSettings MoeLayerSettings => SharesExpertBias
        ? MoeSettings with { Expert = new FeedForwardSettings(Activation, HasBias: false), HasOutputBias = true }
        : base.MoeLayerSettings;

    /// <summary>Reads <c>config.json</c>.</summary>
    internal static NomicBertConfig Read(PublishedSettings json) => json.Has("hidden_size") ? ReadNative(json) : ReadPublished(json);

    /// <summary>In the form of the published program, which has GPT-2's keys.</summary>
    private static NomicBertConfig ReadPublished(PublishedSettings json)
    {
        if (Array.Find(Unsupported, name => json.Flag(name)) is { } refused)
            throw json.Refused($"{refused} is not supported");
        if (!json.Flag("scale_attn_weights", absent: true) || json.Has("rotary_emb_scale_base") || json.Int("num_shared_experts", 0) > 0)
            throw json.Refused("only scale_attn_weights true, rotary_emb_scale_base null and num_shared_experts 0 are supported");
        var function = json.Text("activation_function", "gelu");
        var (hasGate, activation) = function switch
        {
            "glu" => (true, Activation.Sigmoid),
            "swiglu" => (true, Activation.Silu),
            "geglu" => (true, Activation.GeluErf),
            // the blocks of the published program take the exact form whatever it is called
            "gelu" or "gelu_new" or "gelu_fast" or "gelu_pytorch_tanh" => (false, Activation.GeluErf),
            _ => throw json.Refused($"activation_function '{function}' is not known"),
        };
        var width = json.Int("n_embd", 768);
        var inner = json.Int("n_inner") ?? 4 * width;
        var layers = json.Int("n_layer", 12);
        var every = json.Int("num_experts", 0) > 0 ? json.Int("moe_every_n_layers", 0) : 0;
        var config = new NomicBertConfig
        {
            VocabularySize = UpTo(json.Int("vocab_size", 50257), json.Int("pad_vocab_size_multiple", 1)),
            Width = width,
            Layers = layers,
            Heads = json.Int("n_head", 12),
            DenseWidth = hasGate ? UpTo(inner, GatedMultiple) : inner,
            HasGate = hasGate,
            Activation = activation,
            HeadActivation = function switch
            {
                "swiglu" => Activation.Silu,
                "gelu_new" or "gelu_fast" or "gelu_pytorch_tanh" => Activation.GeluTanh,
                _ => Activation.GeluErf,
            },
            Positions = json.Int("n_positions", 2048),
            TokenTypes = json.Int("type_vocab_size", 2),
            PaddingId = json.Int("pad_token_id", 0),
            NormEpsilon = json.Float("layer_norm_epsilon", 1e-5f),
            Dropout = json.Float("resid_pdrop", 0.1f),
            AttentionDropout = json.Float("attn_pdrop", 0.1f),
            HasAttentionBias = json.Flag("qkv_proj_bias", absent: true),
            HasFirstBias = json.Flag("mlp_fc1_bias", absent: true),
            HasSecondBias = json.Flag("mlp_fc2_bias", absent: true),
            RotaryBase = json.Double("rotary_emb_base", 10_000),
            RotaryFraction = json.Double("rotary_emb_fraction", 0),
            RotaryIsInterleaved = json.Flag("rotary_emb_interleaved"),
            RotaryScale = json.Has("rotary_scaling_factor") ? json.Double("rotary_scaling_factor", 1) : null,
            TrainedPositions = json.Int("max_trained_positions", 2048),
            TiesDecoder = json.Flag("tie_word_embeddings", absent: true),
        };
        return every == 0 ? config : config with
        {
            // the published program's rule; its moe_normalize_expert_weights has no effect without megablocks, and has none here
            MoeAt = new BlockNumbers(Enumerable.Range(0, layers).Where(layer => layer % every == 1)),
            Experts = json.Int("num_experts", 1),
            ExpertWidth = inner,
            Router = Router.TokenChoice(json.Int("moe_top_k", 1), normalizeWeights: false),
            LoadBalancingCoefficient = 0f,
            SharesExpertBias = true,
        };
    }

    /// <summary>In the form of transformers' own class, which has no experts and no biases.</summary>
    private static NomicBertConfig ReadNative(PublishedSettings json)
    {
        var rotary = json.Part("rope_parameters");
        var kind = rotary.Text("rope_type", "default");
        if (kind is not ("default" or "dynamic"))
            throw json.Refused($"rope_type '{kind}' is not supported: only 'default' and 'dynamic' are");
        var (width, heads) = (json.Int("hidden_size", 768), json.Int("num_attention_heads", 12));
        if (json.Int("head_dim") is { } headWidth && (long)headWidth * heads != width)
            throw json.Refused($"head_dim {headWidth} is not hidden_size {width} / num_attention_heads {heads}");
        return new NomicBertConfig
        {
            VocabularySize = json.Int("vocab_size", 30528),
            Width = width,
            Layers = json.Int("num_hidden_layers", 12),
            Heads = heads,
            DenseWidth = json.Int("intermediate_size", 3072),
            HasGate = true,
            Activation = json.Activation("hidden_act", "silu"),
            HeadActivation = json.Activation("hidden_act", "silu"),
            Positions = kind == "dynamic" ? RotaryFrequencies.MostPositions >> 4 : json.Int("max_position_embeddings", 2048),
            TokenTypes = json.Int("type_vocab_size", 2),
            PaddingId = json.Int("pad_token_id", 0),
            NormEpsilon = json.Float("layer_norm_eps", 1e-12f),
            Dropout = json.Float("hidden_dropout_prob", 0f),
            AttentionDropout = json.Float("attention_probs_dropout_prob", 0f),
            RotaryBase = rotary.Double("rope_theta", 1000),
            RotaryFraction = rotary.Double("partial_rotary_factor", 1),
            RotaryScale = kind == "dynamic" ? rotary.Double("factor", 1) : null,
            TrainedPositions = json.Int("max_position_embeddings", 2048),
            TiesDecoder = json.Flag("tie_word_embeddings", absent: true),
        };
    }

    private static int UpTo(int value, int multiple) => checked((value + multiple - 1) / multiple * multiple);

    /// <inheritdoc/>
    internal override WeightRules CreateRules()
    {
        const string Layer = "encoder.layers.{l}.";
        var rules = new WeightRules(Architecture)
            .Prefixes("", "bert.")
            .Copy("embedding.words", "embeddings.word_embeddings.weight")
            .Copy("embedding.positions", "embeddings.position_embeddings.weight")
            .Copy("embedding.types", "embeddings.token_type_embeddings.weight")
            .Norm("embedding.norm", "emb_ln");
        foreach (var (part, name) in Projections.Index())
        {
            rules
                .Slice($"layers.{{l}}.attention.{name}.weight", Layer + "attn.Wqkv.weight", part, of: 3, transpose: true)
                .Slice($"layers.{{l}}.attention.{name}.bias", Layer + "attn.Wqkv.bias", part, of: 3);
        }

        return rules
            .Linear("layers.{l}.attention.output", Layer + "attn.out_proj")
            .Norm("layers.{l}.attentionNorm", Layer + "norm1")
            .Norm("layers.{l}.feedForwardNorm", Layer + "norm2")
            .Linear("layers.{l}.feedForward.first", Layer + (HasGate ? "mlp.fc12" : "mlp.fc1"))
            .Linear("layers.{l}.feedForward.gate", Layer + "mlp.fc11")
            .Linear("layers.{l}.feedForward.second", Layer + "mlp.fc2")
            .Copy("layers.{l}.moe.router.weight", Layer + "mlp.router.layer.weight", transpose: true)
            .StackSlices("layers.{l}.moe.experts.w1", Layer + "mlp.experts.mlp.w1", transpose: true)
            .StackSlices("layers.{l}.moe.experts.w2", Layer + "mlp.experts.mlp.w2")
            .Repeat("layers.{l}.moe.bias", Layer + "mlp.experts.bias")
            .Linear("pooler", "pooler.dense")
            .Linear("classes.dense", "pooler.dense")
            .Linear("classes.output", "classifier")
            .Linear("guess.transform", "cls.predictions.transform.dense")
            .Norm("guess.norm", "cls.predictions.transform.layer_norm")
            .Decoder(this, "embeddings.word_embeddings.weight", "cls.predictions.decoder.weight", "cls.predictions.decoder.bias")
            .Ignore("embeddings.position_ids", "*rotary_emb.*", "pooler.*", "cls.*", "classifier.*");
    }

    /// <inheritdoc/>
    private protected override Func<string, int, IAttention> AttentionOf(ParameterStore store)
    {
        var rotary = new NomicRotary(this);
        return (name, _) => new RotaryAttention(store, name, this, rotary);
    }

    /// <summary>Attention whose queries and keys are turned by their positions.</summary>
    private sealed class RotaryAttention(ParameterStore store, string name, NomicBertConfig config, NomicRotary rotary) : IAttention
    {
        private readonly Linear _queries = Projection(store, name + ".queries", config);
        private readonly Linear _keys = Projection(store, name + ".keys", config);
        private readonly Linear _values = Projection(store, name + ".values", config);
        private readonly Linear _output = Projection(store, name + ".output", config);
        private readonly AttentionSpec _spec = new(config.Heads) { Dropout = config.AttentionDropout };

        /// <inheritdoc/>
        public Tensor Forward(ForwardContext context, Tensor xTD)
        {
            var (tape, layout) = (context.Tape, context.Layout);
            var (qTD, kTD) = rotary.Turn(tape, layout, _queries.Forward(tape, xTD), _keys.Forward(tape, xTD));
            return _output.Forward(tape, tape.Attention(qTD, kTD, _values.Forward(tape, xTD), _spec, layout));
        }

        private static Linear Projection(ParameterStore store, string name, NomicBertConfig config) =>
            new(store, name, config.Width, config.Width, hasBias: config.HasAttentionBias);
    }
}
