using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Models.Published;

/// <summary>
/// Switch Transformers (Fedus et al. 2021, "Switch Transformers: Scaling to trillion parameter models"), as Hugging Face publishes them: T5
/// with a mixture of experts in some blocks of either stack, in which a token has one expert, weighted by its probability among all:
/// <code>
/// p = softmax(router·x), e = argmax p
/// y = p[e]·expert_e(x)                 while no more than the capacity of the sequence's tokens have come to e, 0 after that
/// </code>
/// The capacity counts in one pass, padding too where <see cref="Router.MaskPadding"/> is false; generation token by token drops nothing.
/// Of another router, Unified over a sequence, the decoder takes the form over the tokens so far.
/// </summary>
internal sealed record SwitchTransformersConfig : EncoderDecoderConfig
{
    /// <summary>The decoder's blocks with a MoE layer, from 0.</summary>
    public required BlockNumbers DecoderMoeAt { get; init; }

    /// <summary>Whether the losses of routers count those of the encoder; the original leaves out a stack that is sparse in every block.</summary>
    public bool BalancesEncoder { get; init; } = true;

    /// <summary>Whether they count those of the decoder.</summary>
    public bool BalancesDecoder { get; init; } = true;

    /// <summary>
    /// Router inputs are multiplied by random numbers within 1 ± this while training, within [0, 1) (the paper, section 2.2).
    /// </summary>
    public float RouterJitter { get; init => field = OptionCheck.Rate(value, nameof(RouterJitter)); }

    /// <inheritdoc/>
    internal override string Architecture => "Switch Transformers";

    /// <inheritdoc/>
    internal override IReadOnlyList<int> DecoderMoeBlocks => [.. DecoderMoeAt.Select(layer => Layers + layer)];

    /// <summary>Reads <c>config.json</c>, of transformers 4 or 5.</summary>
    internal static SwitchTransformersConfig Read(PublishedSettings json)
    {
        if (json.Flag("is_gated_act"))
            throw json.Refused("is_gated_act is not supported: experts of Switch Transformers have no gate");
        var layers = json.Int("num_layers", 12);
        var decoderLayers = json.Int("num_decoder_layers", layers);
        var encoderStep = SparseStep(json, "encoder_sparse_step", layers, json.Int("num_sparse_encoder_layers", 3));
        var decoderStep = SparseStep(json, "decoder_sparse_step", decoderLayers, json.Int("num_sparse_decoder_layers", 3));
        var buckets = json.Int("relative_attention_num_buckets", 32);
        var (width, padding) = (json.Int("d_ff", 2048), json.Int("pad_token_id", 0));
        return new SwitchTransformersConfig
        {
            VocabularySize = json.Int("vocab_size", 32128),
            Width = json.Int("d_model", 768),
            HeadWidth = json.Int("d_kv", 64),
            DenseWidth = width,
            ExpertWidth = width,
            Layers = layers,
            DecoderLayers = decoderLayers,
            Heads = json.Int("num_heads", 12),
            Experts = json.Int("num_experts", 8),
            Router = Router.TokenChoice(1, normalizeWeights: false) with { ExpertCapacity = json.Int("expert_capacity", 64) },
            MoeAt = new BlockNumbers(SparseBlocks(layers, encoderStep)),
            DecoderMoeAt = new BlockNumbers(SparseBlocks(decoderLayers, decoderStep)),
            BalancesEncoder = encoderStep > 1,
            BalancesDecoder = decoderStep > 1,
            Mixture = json.Flag("router_bias") ? new MixtureConfig { HasRouterBias = true } : null,
            LoadBalancingCoefficient = json.Float("router_aux_loss_coef", 0.001f),
            RouterZLossCoefficient = json.Float("router_z_loss_coef", 0.001f),
            RouterJitter = json.Float("router_jitter_noise", 0.01f),
            Activation = json.Activation("dense_act_fn", "relu"),
            Positions = NoLimit,
            RelativeBuckets = buckets,
            FurthestDistance = Furthest(json, buckets),
            PaddingId = padding,
            StartId = json.Int("decoder_start_token_id", padding),
            NormEpsilon = json.Float("layer_norm_epsilon", 1e-6f),
            Dropout = json.Float("dropout_rate", 0.1f),
            AttentionDropout = json.Float("dropout_rate", 0.1f),
            TiesDecoder = Ties(json),
        };
    }

    /// <inheritdoc/>
    internal override WeightRules CreateRules()
    {
        var rules = CreateRules("mlp");
        Add("layers.{l}.moe", "encoder.block.{l}.layer.1.mlp");
        Add("decoder.{l}.moe", "decoder.block.{l}.layer.2.mlp");
        return rules;

        void Add(string target, string source) => rules
            .Copy(target + ".router.weight", source + ".router.classifier.weight", transpose: true)
            .Copy(target + ".router.bias", source + ".router.classifier.bias")
            .Stack(target + ".experts.w1", source + ".experts.expert_{e}.wi.weight", transpose: true)
            .Stack(target + ".experts.w2", source + ".experts.expert_{e}.wo.weight", transpose: true);
    }

    /// <inheritdoc/>
    internal override LayersLoss? CreateLayersLoss(IRoutingObserver? next) => CreateLoss(BalancesEncoder, next);

    /// <inheritdoc/>
    internal override LayersLoss? CreateDecoderLoss(IRoutingObserver? next) => CreateLoss(BalancesDecoder, next);

    /// <inheritdoc/>
    private protected override MoeSettings MoeLayerSettings => base.MoeLayerSettings with
    {
        LoadBalancingCoefficient = 0f,
        RouterZLossCoefficient = 0f,
        RouterJitter = RouterJitter,
    };

    /// <inheritdoc/>
    private protected override IFeedForward CreateDecoderFeedForward(ParameterStore store, string name, int layer)
    {
        if (!DecoderMoeAt.Contains(layer))
            return base.CreateDecoderFeedForward(store, name, layer);
        // a decoder's tokens do not see later ones
        var settings = (this with { Router = Router.OfTokensSoFar }).MoeLayerSettings;
        var moe = Mixture?.Apply(settings) ?? settings;
        return new MoeLayer(store, name + ".moe", Layers + layer, Width, ExpertWidth, moe, outputGain: 1f);
    }

    private SwitchLosses? CreateLoss(bool balances, IRoutingObserver? next) =>
        balances && (LoadBalancingCoefficient > 0f || RouterZLossCoefficient > 0f)
            ? new SwitchLosses(next, LoadBalancingCoefficient, RouterZLossCoefficient, countsPadding: !Router.MaskPadding)
            : null;

    // how the original counts: without sparse blocks asked for the step is the number of blocks, and the second one is sparse
    private static int SparseStep(PublishedSettings json, string name, int layers, int sparse) =>
        json.Int(name, sparse > 0 ? layers / sparse : layers);

    private static IEnumerable<int> SparseBlocks(int layers, int step) =>
        step < 1 ? [] : Enumerable.Range(0, Math.Max(0, layers)).Where(layer => step == 1 || layer % step == 1);
}
