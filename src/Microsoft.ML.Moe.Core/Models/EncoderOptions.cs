using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Models;

/// <summary>What all models have in common: the encoder's architecture, and how it is trained.</summary>
public abstract class EncoderOptions
{
    private protected EncoderOptions()
    {
    }

    /// <summary>Width of token vectors, D. Within [8, 4096], divisible by <see cref="Heads"/>. Default 128.</summary>
    public int Width { get; set; } = 128;

    /// <summary>Number of transformer blocks. Within [0, 48]; 0 pools the token vectors as they are. Default 2.</summary>
    public int Layers { get; set; } = 2;

    /// <summary>Attention heads, H; divides <see cref="Width"/>. Default 4.</summary>
    public int Heads { get; set; } = 4;

    /// <summary>
    /// Every n-th block has a MoE layer in place of the dense feed-forward network: 1 all, 2 every second beginning with the
    /// second, 0 none. Default 1.
    /// </summary>
    public int MoeEvery { get; set; } = 1;

    /// <summary>Experts in a MoE layer, N. Within [1, 1024]. Default 4.</summary>
    public int Experts { get; set; } = 4;

    /// <summary>
    /// How tokens and experts find each other: each token takes its best experts, each expert its best tokens, or the best pairs of
    /// all are taken (USMoE, arXiv 2503.22996). Default <see cref="RouterKind.TokenChoice"/>.
    /// </summary>
    public RouterKind Router { get; set; } = RouterKind.TokenChoice;

    /// <summary>
    /// Experts that each token is sent to, k: exactly with Token Choice, where it is a whole number, and on average with the others,
    /// where it may be a fraction. Over 0, at most <see cref="Experts"/>. Default 2.
    /// </summary>
    public double ExpertsPerToken { get; set; } = 2;

    /// <summary>Share of the expert's view in the score of <see cref="RouterKind.Unified"/>, within [0, 1]. Default 0.5.</summary>
    public double Alpha { get; set; } = 0.5;

    /// <summary>
    /// Which tokens compete for experts, with Expert Choice and Unified. Any but <see cref="RoutingScope.Sequence"/> makes a row's
    /// prediction depend on the rows that it is scored with. Default <see cref="RoutingScope.Sequence"/>.
    /// </summary>
    public RoutingScope RoutingScope { get; set; } = RoutingScope.Sequence;

    /// <summary>
    /// Whether the weights of a token's experts are divided by their sum. null does so with Token Choice and more than one expert for
    /// each token (Mixtral), and not otherwise, as in Switch Transformers and USMoE. Default null.
    /// </summary>
    public bool? NormalizeWeights { get; set; }

    /// <summary>
    /// How many times the tokens of an even split an expert takes at most, over 0; what is beyond is not sent to it (Switch
    /// Transformers use 1 to 2). null sets no limit. Default null.
    /// </summary>
    public double? CapacityFactor { get; set; }

    /// <summary>Which tokens keep an expert that is full. Default <see cref="CapacityPriority.Position"/>.</summary>
    public CapacityPriority CapacityPriority { get; set; } = CapacityPriority.Position;

    /// <summary>
    /// Whether padding stays out of the competition for experts. false fills the rows of a batch to the longest and lets padding
    /// compete, as USMoE's published code does; a row's prediction then depends on the rows that it is scored with. Default true.
    /// </summary>
    public bool MaskPadding { get; set; } = true;

    /// <summary>
    /// Width of one expert, F; a dense block is <see cref="ExpertsPerToken"/> times as wide, so that both cost the same. Within
    /// [8, 65536]. Default 256.
    /// </summary>
    public int ExpertWidth { get; set; } = 256;

    /// <summary>Coefficient of the load-balancing loss (Fedus et al. 2021), at least 0. Default 0.01.</summary>
    public float LoadBalancingCoefficient { get; set; } = 0.01f;

    /// <summary>Coefficient of the router z-loss (Zoph et al. 2022), at least 0. Default 0.</summary>
    public float RouterZLossCoefficient { get; set; }

    /// <summary>
    /// Largest number of passes over the training rows; null chooses by the number of rows and their length. At least 1. Default null.
    /// </summary>
    public int? MaxEpochs { get; set; }

    /// <summary>Rows for each optimiser step. Within [1, 65536]. Default 64.</summary>
    public int BatchSize { get; set; } = 64;

    /// <summary>
    /// Number of parts that a batch is split into, each with its own forward and backward pass, to save memory. Within
    /// [1, <see cref="BatchSize"/>]. Default 1.
    /// </summary>
    public int AccumulationSteps { get; set; } = 1;

    /// <summary>Peak learning rate of the dense weights, over 0. Default 1e-3.</summary>
    public float LearningRate { get; set; } = 1e-3f;

    /// <summary>Decoupled weight decay of the dense weight matrices, at least 0. Default 0.05.</summary>
    public float WeightDecay { get; set; } = 0.05f;

    /// <summary>Share of all steps over which the learning rate rises to its peak, within [0, 1]. Default 0.1.</summary>
    public float WarmupShare { get; set; } = 0.1f;

    /// <summary>How the learning rate falls after the warm-up. Default <see cref="LearningRateDecay.Cosine"/>.</summary>
    public LearningRateDecay Decay { get; set; } = LearningRateDecay.Cosine;

    /// <summary>Largest joint norm of the dense gradients; larger ones are scaled down. Over 0. Default 1.</summary>
    public float MaxGradientNorm { get; set; } = 1f;

    /// <summary>Dropout rate inside the encoder, within [0, 1). Default 0.2.</summary>
    public float Dropout { get; set; } = 0.2f;

    /// <summary>
    /// Share of the training rows, drawn by class where there are classes, that is held out for validation when no validation set is
    /// given. Within [0, 0.5]; 0 trains on everything and keeps the last epoch. Default 0.
    /// </summary>
    public float ValidationShare { get; set; }

    /// <summary>
    /// Epochs without a better validation loss after which training stops; needs validation data. null never stops early; the best
    /// epoch is restored either way. At least 1. Default null.
    /// </summary>
    public int? EarlyStoppingPatience { get; set; }

    /// <summary>
    /// Seeds initial weights, shuffling and dropout; the same seed gives the same model on the same engine. null takes the
    /// caller's (<c>MLContext</c>'s in ML.NET) or else 0. Default null.
    /// </summary>
    public int? Seed { get; set; }

    /// <summary>Worker threads of the managed engine; null uses all processors. At least 1. Default null.</summary>
    public int? Threads { get; set; }

    /// <summary>
    /// Where training keeps its state, so that it can be taken up again after an interruption: written every minute or so and after
    /// each epoch, taken up by the next training with the same options and rows, which ends as if nothing had happened, and deleted
    /// once training is complete. As large as the model three times over. null keeps none. Default null.
    /// </summary>
    public string? CheckpointFile { get; set; }

    /// <summary>Checks every option and their combinations.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An option lies outside its documented range; the message names it.</exception>
    /// <exception cref="ArgumentException">Options contradict each other; the message names them.</exception>
    public virtual void Validate()
    {
        OptionCheck.Range(Width, 8, 4096, nameof(Width));
        OptionCheck.Range(Layers, 0, 48, nameof(Layers));
        OptionCheck.Range(Heads, 1, Width, nameof(Heads));
        OptionCheck.Range(MoeEvery, 0, 48, nameof(MoeEvery));
        OptionCheck.Range(Experts, 1, 1024, nameof(Experts));
        OptionCheck.Range(Alpha, 0, 1, nameof(Alpha));
        OptionCheck.Range(ExpertWidth, 8, 65536, nameof(ExpertWidth));
        OptionCheck.Range(LoadBalancingCoefficient, 0f, 1000f, nameof(LoadBalancingCoefficient));
        OptionCheck.Range(RouterZLossCoefficient, 0f, 1000f, nameof(RouterZLossCoefficient));
        if (MaxEpochs is { } epochs)
            OptionCheck.Range(epochs, 1, 100_000, nameof(MaxEpochs));
        OptionCheck.Range(BatchSize, 1, 65536, nameof(BatchSize));
        OptionCheck.Range(AccumulationSteps, 1, BatchSize, nameof(AccumulationSteps));
        OptionCheck.Positive(LearningRate, nameof(LearningRate));
        OptionCheck.Range(WeightDecay, 0f, 1000f, nameof(WeightDecay));
        OptionCheck.Range(WarmupShare, 0f, 1f, nameof(WarmupShare));
        OptionCheck.Positive(MaxGradientNorm, nameof(MaxGradientNorm));
        OptionCheck.Rate(Dropout, nameof(Dropout));
        OptionCheck.Range(ValidationShare, 0f, 0.5f, nameof(ValidationShare));
        if (EarlyStoppingPatience is { } patience)
            OptionCheck.Range(patience, 1, 100_000, nameof(EarlyStoppingPatience));
        if (Threads is { } threads)
            OptionCheck.Range(threads, 1, 1024, nameof(Threads));
        if (Width % Heads != 0)
            throw new ArgumentException($"{nameof(Width)} ({Width}) is not divisible by {nameof(Heads)} ({Heads}).", nameof(Heads));
        if (!(ExpertsPerToken > 0 && ExpertsPerToken <= Experts))
            throw new ArgumentOutOfRangeException(
                nameof(ExpertsPerToken),
                ExpertsPerToken,
                $"{nameof(ExpertsPerToken)} must be over 0 and at most {nameof(Experts)} ({Experts}).");
        OptionCheck.Defined(Router, nameof(Router));
        OptionCheck.Defined(RoutingScope, nameof(RoutingScope));
        OptionCheck.Defined(CapacityPriority, nameof(CapacityPriority));
        OptionCheck.Defined(Decay, nameof(Decay));
        if (CheckpointFile is not null && string.IsNullOrWhiteSpace(CheckpointFile))
            throw new ArgumentException($"{nameof(CheckpointFile)} is empty; null keeps no checkpoint.", nameof(CheckpointFile));
        _ = RouterSettings.CreatePolicy();
    }

    /// <summary>A copy that later changes do not reach.</summary>
    internal EncoderOptions Clone() => (EncoderOptions)MemberwiseClone();

    /// <summary>The options of the router as one value.</summary>
    internal RouterSettings RouterSettings => new(
        Router,
        ExpertsPerToken,
        Alpha,
        RoutingScope,
        NormalizeWeights ?? (Router == RouterKind.TokenChoice && ExpertsPerToken > 1),
        CapacityFactor,
        CapacityPriority,
        MaskPadding);
}
