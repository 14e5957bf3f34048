using System.Text.Json.Serialization;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Models;

/// <summary>
/// The architecture of an encoder: transformer blocks, some of them with a mixture of experts. Those of this library are pre-norm; other
/// records are published architectures. Every value is checked when it is set; <see cref="Check"/> compares them with each other.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(FeatureEncoderConfig), "features")]
[JsonDerivedType(typeof(BertConfig), "bert")]
[JsonDerivedType(typeof(DistilBertConfig), "distilBert")]
[JsonDerivedType(typeof(RobertaConfig), "roberta")]
[JsonDerivedType(typeof(MpnetConfig), "mpnet")]
[JsonDerivedType(typeof(NomicBertConfig), "nomicBert")]
[JsonDerivedType(typeof(Gpt2Config), "gpt2")]
[JsonDerivedType(typeof(GptNeoXConfig), "gptNeoX")]
[JsonDerivedType(typeof(LlamaConfig), "llama")]
[JsonDerivedType(typeof(QwenConfig), "qwen")]
[JsonDerivedType(typeof(QwenMoeConfig), "qwenMoe")]
[JsonDerivedType(typeof(OlmoeConfig), "olmoe")]
[JsonDerivedType(typeof(FlexOlmoConfig), "flexOlmo")]
[JsonDerivedType(typeof(MixtralConfig), "mixtral")]
[JsonDerivedType(typeof(GraniteMoeConfig), "graniteMoe")]
[JsonDerivedType(typeof(HunyuanMoeConfig), "hunyuanMoe")]
[JsonDerivedType(typeof(ErnieMoeConfig), "ernieMoe")]
[JsonDerivedType(typeof(GlmMoeConfig), "glmMoe")]
[JsonDerivedType(typeof(DeepSeekConfig), "deepSeek")]
[JsonDerivedType(typeof(DeepSeekV2Config), "deepSeekV2")]
[JsonDerivedType(typeof(DeepSeekV3Config), "deepSeekV3")]
[JsonDerivedType(typeof(PhiMoeConfig), "phiMoe")]
[JsonDerivedType(typeof(JetMoeConfig), "jetMoe")]
[JsonDerivedType(typeof(GptOssConfig), "gptOss")]
[JsonDerivedType(typeof(T5Config), "t5")]
[JsonDerivedType(typeof(SwitchTransformersConfig), "switchTransformers")]
[JsonDerivedType(typeof(VitConfig), "vit")]
[JsonDerivedType(typeof(DeitConfig), "deit")]
[JsonDerivedType(typeof(ResNetConfig), "resnet")]
public record EncoderConfig
{
    /// <summary>Width of token vectors, D. Within [8, 4096], of published models [8, 32768]; divisible by <see cref="Heads"/>. Default 128.</summary>
    [JsonRequired]
    public int Width { get; init => field = OptionCheck.Range(value, 8, Most.Width, nameof(Width)); } = 128;

    /// <summary>Number of transformer blocks. Within [0, 48], of published models [0, 512]; 0 pools the token vectors as they are. Default 2.</summary>
    [JsonRequired]
    public int Layers { get; init => field = OptionCheck.Range(value, 0, Most.Layers, nameof(Layers)); } = 2;

    /// <summary>Attention heads, H; divides <see cref="Width"/>. Default 4.</summary>
    [JsonRequired]
    public int Heads { get; init => field = OptionCheck.Range(value, 1, 4096, nameof(Heads)); } = 4;

    /// <summary>
    /// Every n-th block has a MoE layer in place of the dense feed-forward network: 1 all, 2 every second beginning with the
    /// second, 0 none. Within [0, 48], of published models [0, 512]. Default 1.
    /// </summary>
    [JsonRequired]
    public int MoeEvery { get; init => field = OptionCheck.Range(value, 0, Most.Layers, nameof(MoeEvery)); } = 1;

    /// <summary>The blocks with a MoE layer, in place of every <see cref="MoeEvery"/>-th; null, the default, for those.</summary>
    [JsonInclude]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    internal BlockNumbers? MoeAt { get; init; }

    /// <summary>What MoE layers have beside router and experts; null, the default, for nothing.</summary>
    [JsonInclude]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    internal MixtureConfig? Mixture { get; init; }

    /// <summary>Experts in a MoE layer, N. Within [1, 1024]. Default 4.</summary>
    [JsonRequired]
    public int Experts { get; init => field = OptionCheck.Range(value, 1, 1024, nameof(Experts)); } = 4;

    /// <summary>How tokens and experts find each other. Default Token Choice with two experts for each token.</summary>
    [JsonRequired]
    public Router Router
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Router), "There is no router.");
    } = Router.TokenChoice();

    /// <summary>Hidden width of one expert, F. Within [8, 65536]. Default 256.</summary>
    [JsonRequired]
    public int ExpertWidth { get; init => field = OptionCheck.Range(value, 8, 65536, nameof(ExpertWidth)); } = 256;

    /// <summary>
    /// Hidden width of the feed-forward network of a block without experts. Within [1, 67108864]. null, the default, takes k·F, so that
    /// blocks with and without experts cost the same.
    /// </summary>
    public int? DenseWidth { get; init => field = OptionCheck.Range(value, 1, 1 << 26, nameof(DenseWidth)); }

    /// <summary>Coefficient of the load-balancing loss (Fedus et al. 2021), within [0, 1000]. Default 0.01.</summary>
    public float LoadBalancingCoefficient
    {
        get;
        init => field = OptionCheck.Range(value, 0f, 1000f, nameof(LoadBalancingCoefficient));
    } = 0.01f;

    /// <summary>Coefficient of the router z-loss (Zoph et al. 2022), within [0, 1000]. Default 0.</summary>
    public float RouterZLossCoefficient { get; init => field = OptionCheck.Range(value, 0f, 1000f, nameof(RouterZLossCoefficient)); }

    /// <summary>
    /// Coefficient of the importance loss, the squared coefficient of variation of the experts' summed probabilities (Shazeer et al. 2017;
    /// V-MoE), within [0, 1000]. Default 0.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public float ImportanceCoefficient { get; init => field = OptionCheck.Range(value, 0f, 1000f, nameof(ImportanceCoefficient)); }

    /// <summary>
    /// Coefficient of the load loss, the same of the experts' probabilities of being chosen were the logits perturbed a little (V-MoE,
    /// Riquelme et al. 2021, appendix A.2), within [0, 1000]. Default 0.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public float LoadCoefficient { get; init => field = OptionCheck.Range(value, 0f, 1000f, nameof(LoadCoefficient)); }

    /// <summary>Dropout rate inside the encoder while training, within [0, 1). Default 0.2.</summary>
    public float Dropout { get; init => field = OptionCheck.Rate(value, nameof(Dropout)); } = 0.2f;

    /// <summary>Number of blocks with a MoE layer.</summary>
    [JsonIgnore]
    public int MoeLayers => MoeAt?.Count ?? (MoeEvery == 0 ? 0 : Layers / MoeEvery);

    /// <summary>Numbers of the blocks with a MoE layer, from 0; a decoder's are not among them.</summary>
    [JsonIgnore]
    public IReadOnlyList<int> MoeBlocks => [.. Enumerable.Range(0, Layers).Where(HasExperts)];

    /// <summary><see cref="DenseWidth"/>, or what takes its place.</summary>
    [JsonIgnore]
    internal int FeedForwardWidth => DenseWidth ?? (int)Math.Ceiling(Router.ExpertsPerToken * ExpertWidth);

    /// <summary>Columns of all heads of queries together, and of all heads of keys, which are as many as those of values.</summary>
    [JsonIgnore]
    internal virtual (int Queries, int KeysAndValues) AttentionWidths => (Width, Width);

    /// <summary>Products of matrices in a dense feed-forward network and in an expert: 2, and 3 with a gate.</summary>
    [JsonIgnore]
    internal virtual (int Dense, int Expert) ProductsOfFeedForward => (2, 2);

    /// <summary>Multiply-adds of a block without experts for each token, but for its attention.</summary>
    [JsonIgnore]
    internal virtual double DenseCost => (double)ProductsOfFeedForward.Dense * Width * FeedForwardWidth;

    /// <summary>The largest width and number of blocks that are accepted.</summary>
    [JsonIgnore]
    private protected virtual (int Width, int Layers) Most => (4096, 48);

    /// <summary>Whether one load-balancing loss is taken of all MoE layers together, not one of each.</summary>
    [JsonIgnore]
    internal virtual bool BalancesLayersTogether => false;

    /// <summary>Whether the token table learns as matrices do; see <see cref="ParameterStore.HasDenseTables"/>. It scores tokens too, as a rule.</summary>
    [JsonIgnore]
    internal virtual bool HasDenseTables => false;

    /// <summary>Whether a head is a part of <see cref="Width"/>; if not, it has a width of its own.</summary>
    [JsonIgnore]
    internal virtual bool HeadsDivideWidth => true;

    /// <summary>Whether a block has a MoE layer.</summary>
    /// <param name="block">Number of the block, from 0.</param>
    public bool HasExperts(int block) => MoeAt?.Contains(block) ?? (MoeEvery > 0 && (block + 1) % MoeEvery == 0);

    /// <summary>Checks that the values fit each other.</summary>
    /// <returns>This configuration.</returns>
    /// <exception cref="ArgumentException">Two contradict each other; the message names them.</exception>
    public EncoderConfig Check()
    {
        CheckParts();
        if (HeadsDivideWidth && Width % Heads != 0)
            throw new ArgumentException($"{nameof(Width)} ({Width}) is not divisible by {nameof(Heads)} ({Heads}).", nameof(Heads));
        if (MoeAt?.Count > 0 && MoeAt[^1] >= Layers)
            throw new ArgumentOutOfRangeException(nameof(MoeAt), MoeAt[^1], $"There are {nameof(Layers)} = {Layers} blocks, from 0.");
        if (Router.ExpertsPerToken > Experts)
            throw new ArgumentOutOfRangeException(
                nameof(Router),
                Router.ExpertsPerToken,
                $"{nameof(Router)}.{nameof(Router.ExpertsPerToken)} must be over 0 and at most {nameof(Experts)} ({Experts}).");
        return this;
    }

    /// <summary>As <see cref="Check"/>, of what only a derived architecture has.</summary>
    private protected virtual void CheckParts()
    {
    }

    /// <summary>The encoder.</summary>
    /// <param name="store">Makes its parameters.</param>
    internal virtual Encoder CreateEncoder(ParameterStore store) => PreNormEncoder.Create(store, this);

    /// <summary>Gathers what the MoE layers add to the loss together in a pass of training; null where they do not.</summary>
    /// <param name="next">Is shown everything too; null for none.</param>
    internal virtual LayersLoss? CreateLayersLoss(IRoutingObserver? next) =>
        BalancesLayersTogether && LoadBalancingCoefficient > 0f ? new LayersBalancing(next, LoadBalancingCoefficient) : null;

    /// <summary>How MoE layers route and are kept in balance.</summary>
    internal MoeSettings MoeSettings => new(
        Experts,
        Router.Kind == RouterKind.Soft ? null : Router.CreatePolicy(),
        LoadBalancingCoefficient,
        RouterZLossCoefficient)
    {
        RouterNoise = (float)Router.Noise,
        SlotsPerExpert = Router.SlotsPerExpert,
        ImportanceCoefficient = ImportanceCoefficient,
        LoadCoefficient = LoadCoefficient,
        ExpertsPerToken = Math.Max(1, (int)Math.Round(Router.ExpertsPerToken)),
    };

    /// <summary>Throws where there is nothing to route.</summary>
    /// <exception cref="InvalidOperationException">The model has no MoE layers, or Soft MoE in them.</exception>
    internal void CheckRoutes()
    {
        if (Router.Kind == RouterKind.Soft)
            throw new InvalidOperationException(Router.SoftChoosesNothing);
        if (MoeLayers == 0)
            throw new InvalidOperationException(
                $"The model has no MoE layers ({nameof(Layers)} = {Layers}, {nameof(MoeEvery)} = {MoeEvery}): there is nothing to route.");
    }
}
