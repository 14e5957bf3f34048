using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// Architecture and training of a model of features: an ensemble whose members share all but few weights, their tokens routed to experts. The
/// defaults suit tables of a hundred to some hundred thousand rows.
/// </summary>
public sealed record FeatureModelConfig
{
    /// <summary>Default of <see cref="TrainingConfig.BatchSize"/>.</summary>
    internal const int UsualBatchSize = 128;

    /// <summary>Default of <see cref="TrainingConfig.LearningRate"/>.</summary>
    internal const float UsualLearningRate = 6e-3f;

    /// <summary>Default of <see cref="EncoderConfig.Dropout"/>.</summary>
    internal const float UsualDropout = 0.1f;

    /// <summary>Default of <see cref="TrainingConfig.ValidationShare"/>.</summary>
    internal const float UsualValidationShare = 0.1f;

    /// <summary>Upper limit of <see cref="Networks"/>.</summary>
    internal const int MaximumNetworks = 64;

    private const int SmallRows = 1_000;
    private const int SmallNetworks = 5;
    private const int MediumRows = 10_000;
    private const int MediumNetworks = 4;
    private const float SmallValidationShare = 0.15f;
    private const int SmallBatchSize = 32;
    private const float SmallLearningRate = 4e-3f;
    private const float SmallDropout = 0.3f;
    private const int SmallEpochs = 30;
    private const int SmallBins = 16;
    private const int LargeBatchRows = 16_000;
    private const int ClassEpochs = 20;
    private const int NumberEpochs = 40;
    private const int FewestEpochs = 10;
    private const double ClassTargetRows = 3e5;
    private const double NumberTargetRows = 1.2e6;
    private const int UsualBins = 48;
    private const float DropoutDecayShare = 0.5f;

    /// <summary>The architecture of the blocks, which have no attention. By default one of width 128 with 8 experts of width 64.</summary>
    public EncoderConfig Encoder { get; init; } = DefaultEncoder;

    /// <summary>
    /// Members of the ensemble, K: each sees the row through factors of its own, and has an output of its own; what the model gives is their
    /// mean. Within [1, 256]. Default 8.
    /// </summary>
    public int Members { get; init => field = OptionCheck.Range(value, 1, FeatureInputConfig.MaximumMembers, nameof(Members)); } = 8;

    /// <summary>
    /// Width of the vector that a number becomes; 0 takes the scaled number alone. Within [0, 256]; null takes 16 up to 128 numbers, and 0 with
    /// more. Default null.
    /// </summary>
    public int? EmbeddingWidth
    {
        get;
        init => field = OptionCheck.Range(value, 0, FeatureInputConfig.MaximumEmbeddingWidth, nameof(EmbeddingWidth));
    }

    /// <summary>
    /// Bins of a number's piecewise-linear encoding; 0 for none. Within [0, 256]; null takes 48, and 16 on small tables. Default null.
    /// </summary>
    public int? Bins { get; init => field = OptionCheck.Range(value, 0, FeatureInputConfig.MaximumBins, nameof(Bins)); }

    /// <summary>
    /// Networks whose mean the model gives, trained one after the other. Without validation rows of the caller's each holds out rows of its own
    /// (Krogh and Vedelsby 1995), with them they differ by their seed. Scoring takes as many times as long. Within [1, 64]; null takes 5 on small
    /// tables, 4 up to 10,000 rows, and 1 from there on. Default null.
    /// </summary>
    public int? Networks { get; init => field = OptionCheck.Range(value, 1, MaximumNetworks, nameof(Networks)); }

    /// <summary>Which settings take the place of those that are left at their defaults. Default <see cref="FeatureRecipe.Automatic"/>.</summary>
    public FeatureRecipe Recipe { get; init => field = OptionCheck.Defined(value, nameof(Recipe)); }

    /// <summary>Names of the slots; null where they have none.</summary>
    public IReadOnlyList<string>? SlotNames { get; init; }

    /// <summary>How the model is trained.</summary>
    public TrainingConfig Training { get; init; } = DefaultTraining;

    /// <summary>Runs of slots that are said to stand for the values of a category.</summary>
    internal IReadOnlyList<SlotGroup> Groups { get; init; } = [];

    /// <summary>Slots whose numbers are codes of a category.</summary>
    internal IReadOnlySet<int> CategorySlots { get; init; } = new HashSet<int>();

    /// <summary>Default of <see cref="Encoder"/>.</summary>
    internal static EncoderConfig DefaultEncoder { get; } = new()
    {
        Layers = 1,
        Heads = 1,
        Experts = 8,
        ExpertWidth = 64,
        LoadBalancingCoefficient = 0f,
        Dropout = UsualDropout,
    };

    /// <summary>Default of <see cref="Training"/>.</summary>
    internal static TrainingConfig DefaultTraining { get; } = new()
    {
        BatchSize = UsualBatchSize,
        LearningRate = UsualLearningRate,
        EmbeddingLearningRate = UsualLearningRate,
        WeightDecay = 3e-4f,
        WarmupShare = 0f,
        Decay = LearningRateDecay.Linear,
        LabelSmoothing = 0f,
        ValidationShare = UsualValidationShare,
    };

    /// <summary>Share of a table's rows that is held out.</summary>
    /// <param name="rows">Number of rows, before any are held out.</param>
    internal float ValidationShareOf(int rows) => Training.ValidationShare == UsualValidationShare && IsSmall(rows)
        ? SmallValidationShare
        : Training.ValidationShare;

    /// <summary>Number of networks for a table.</summary>
    /// <param name="rows">Number of rows, those held out too.</param>
    internal int NetworksFor(int rows) => Networks ?? (IsSmall(rows) ? SmallNetworks : rows <= MediumRows ? MediumNetworks : 1);

    private bool IsSmall(int rows) => Recipe == FeatureRecipe.Small || (Recipe == FeatureRecipe.Automatic && rows <= SmallRows);

    /// <summary>Settings for a table: what the recipe says in place of what was left at its default.</summary>
    /// <param name="rows">Number of training rows.</param>
    /// <param name="isNumber">Whether a number is learned, not a class.</param>
    internal FeatureTraining For(int rows, bool isNumber)
    {
        var isSmall = IsSmall(rows);
        var (target, most) = isNumber ? (NumberTargetRows, NumberEpochs) : (ClassTargetRows, ClassEpochs);
        var (batch, rate, dropout) = isSmall
            ? (SmallBatchSize, SmallLearningRate, SmallDropout)
            : (rows < LargeBatchRows ? UsualBatchSize : 2 * UsualBatchSize, UsualLearningRate, UsualDropout);
        rate = Training.LearningRate == UsualLearningRate ? rate : Training.LearningRate;
        return new FeatureTraining(
            FeatureEncoderConfig.From(Encoder with { Dropout = Encoder.Dropout == UsualDropout ? dropout : Encoder.Dropout }),
            Training with
            {
                BatchSize = Training.BatchSize == UsualBatchSize ? batch : Training.BatchSize,
                LearningRate = rate,
                EmbeddingLearningRate = Training.EmbeddingLearningRate == UsualLearningRate ? rate : Training.EmbeddingLearningRate,
                MaxEpochs = Training.MaxEpochs
                    ?? (isSmall ? SmallEpochs : (int)Math.Clamp(Math.Round(target / rows), FewestEpochs, most)),
                DropoutDecayShare = isSmall ? Training.DropoutDecayShare : DropoutDecayShare,
            },
            new FeatureMeasurement
            {
                Members = Members,
                EmbeddingWidth = EmbeddingWidth,
                Bins = Bins ?? (isSmall ? SmallBins : UsualBins),
                SlotNames = SlotNames,
                Candidates = Groups,
                CategorySlots = CategorySlots,
            },
            FitsTemperature: !isSmall);
    }
}

/// <summary>How one table is learned.</summary>
/// <param name="Encoder">The architecture.</param>
/// <param name="Training">How the model is trained.</param>
/// <param name="Measurement">How slots are encoded.</param>
/// <param name="FitsTemperature">Whether probabilities of several classes get a temperature.</param>
internal sealed record FeatureTraining(
    FeatureEncoderConfig Encoder, TrainingConfig Training, FeatureMeasurement Measurement, bool FitsTemperature);
