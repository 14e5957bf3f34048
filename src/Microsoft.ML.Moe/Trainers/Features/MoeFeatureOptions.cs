using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Trainers;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.SearchSpace;

namespace Microsoft.ML.Moe;

/// <summary>
/// What all trainers on a vector of features have in common. Batch size, learning rate, dropout and number of epochs that are left at their
/// defaults follow the number of rows, as <see cref="Recipe"/> says; the blocks have no attention, so <see cref="MoeEncoderOptions.Heads"/> has no effect.
/// </summary>
public abstract class MoeFeatureOptions : MoeEncoderOptions
{
    private protected MoeFeatureOptions()
    {
        var (encoder, training) = (FeatureModelConfig.DefaultEncoder, FeatureModelConfig.DefaultTraining);
        (Layers, Heads, Experts, ExpertWidth) = (encoder.Layers, encoder.Heads, encoder.Experts, encoder.ExpertWidth);
        (LoadBalancingCoefficient, Dropout) = (encoder.LoadBalancingCoefficient, encoder.Dropout);
        (BatchSize, LearningRate, WeightDecay) = (training.BatchSize, training.LearningRate, training.WeightDecay);
        (WarmupShare, Decay, ValidationShare) = (training.WarmupShare, training.Decay, training.ValidationShare);
    }

    /// <summary>Column of the label. Default <c>Label</c>.</summary>
    public string LabelColumnName { get; set; } = "Label";

    /// <summary>Column of the features, a vector of single-precision numbers of known size, dense or sparse. Default <c>Features</c>.</summary>
    public string FeatureColumnName { get; set; } = "Features";

    /// <summary>
    /// Column of the rows' weights in the loss, single-precision numbers of at least 0; null weights all rows alike. Default null.
    /// </summary>
    public string? ExampleWeightColumnName { get; set; }

    /// <summary>Column that receives what is scored. Default <c>Score</c>.</summary>
    public string ScoreColumnName { get; set; } = "Score";

    /// <summary>
    /// Rows by which the best epoch is chosen, with the same columns as the training set. null draws
    /// <see cref="MoeTrainerOptions.ValidationShare"/> of the training rows, if there are at least 50. Default null.
    /// </summary>
    public IDataView? ValidationSet { get; set; }

    /// <summary>
    /// Slots whose numbers are codes of a category and not amounts, by name, or by number, counted from 0, where they have no names. Each value
    /// that the training rows have becomes a column of its own; another value, or none, is none of them. One-hot encoded slots are not to be
    /// named. null takes all slots as amounts. Default null.
    /// </summary>
    public IReadOnlyList<string>? CategoricalSlots { get; set; }

    /// <summary>
    /// Members of the ensemble, K (Gorishniy et al. 2025, "TabM"): each sees the row through factors of its own and has an output of its own;
    /// what the model gives is their mean. A member is a token of the mixture. Within [1, 256]. Default 8.
    /// </summary>
    [Choice(4, 8, 16, 32)]
    public int Members { get; set; } = 8;

    /// <summary>
    /// Width of the vector that a number becomes; 0 takes the scaled number alone. Within [0, 256]; null takes 16 up to 128 numbers, and 0 with
    /// more. Default null.
    /// </summary>
    public int? EmbeddingWidth { get; set; }

    /// <summary>
    /// Bins of a number's piecewise-linear encoding; 0 for none. Within [0, 256]; null takes 48, and 16 on small tables. Default null.
    /// </summary>
    public int? Bins { get; set; }

    /// <summary>
    /// Networks whose mean the model gives, trained one after the other. Without <see cref="ValidationSet"/> each holds out rows of its own (Krogh
    /// and Vedelsby 1995, "Neural network ensembles, cross validation, and active learning"), with it they differ by their seed. Scoring takes as
    /// many times as long; <see cref="MoeTrainerOptions.CheckpointFile"/> gets a file of its own for each, named <c>.2</c> and so on; epochs are told of
    /// the first alone. Within [1, 64]; null takes 5 on small tables, 4 up to 10,000 rows, and 1 from there on.
    /// Default null.
    /// </summary>
    public int? Networks { get; set; }

    /// <summary>
    /// By which settings tables of few and of many rows are learned, where options are left at their defaults. Default
    /// <see cref="FeatureRecipe.Automatic"/>.
    /// </summary>
    public FeatureRecipe Recipe { get; set; } = FeatureRecipe.Automatic;

    /// <summary>
    /// GW-MoE fine-tuning (arXiv 2406.12375): members whose router is uncertain about a row are sent to all experts while training. null trains
    /// with the router alone. Default null.
    /// </summary>
    public GlobalWorkspaceSettings? GlobalWorkspace { get; set; }

    /// <summary>Whether the routers stay as they are. Makes sense only with <see cref="InitialModel"/>. Default false.</summary>
    public bool FreezeRouter { get; set; }

    /// <summary>
    /// An earlier model of features with as many slots to start from instead of random weights. Encoding of the slots, architecture and router
    /// are then the earlier model's, whatever the options say. null starts from random weights. Default null.
    /// </summary>
    public PretrainedModel? InitialModel { get; set; }

    internal override IDataView? ValidationRows { set => ValidationSet = value; }

    private protected override bool HasValidation => base.HasValidation || ValidationSet is not null;

    private protected override bool DecidesArchitecture => InitialModel is null;

    private protected override string[] OfArchitecture =>
        [nameof(Width), nameof(Layers), nameof(MoeEvery), nameof(Experts), nameof(Router), nameof(ExpertWidth), nameof(Members), nameof(EmbeddingWidth), nameof(Bins),
            nameof(CategoricalSlots)];

    internal override IEnumerable<(string Option, string Reason)> WithoutEffect()
    {
        foreach (var option in base.WithoutEffect())
            yield return option;
        if (Changed(nameof(Heads)).Any())
            yield return (nameof(Heads), "the blocks have no attention");
        if (InitialModel is not null)
        {
            foreach (var option in Changed(OfArchitecture))
                yield return (option, $"it is that of {nameof(InitialModel)}");
        }

        if (ValidationSet is not null && Changed(nameof(ValidationShare)).Any())
            yield return (nameof(ValidationShare), $"{nameof(ValidationSet)} is what is validated with");
    }

    private protected override string HowToValidate => $"set {nameof(ValidationSet)} or {nameof(ValidationShare)}";

    private protected override ColumnNames Names => new ColumnNames()
        .Read(LabelColumnName, nameof(LabelColumnName))
        .Read(FeatureColumnName, nameof(FeatureColumnName))
        .ReadIfNamed(ExampleWeightColumnName, nameof(ExampleWeightColumnName))
        .Write(ScoreColumnName, nameof(ScoreColumnName));

    private protected override void CheckTask() => _ = ToConfig(null);

    internal override TrainingConfig ToTrainingConfig() => base.ToTrainingConfig() with
    {
        EmbeddingLearningRate = LearningRate,
        LabelSmoothing = 0f,
        GlobalWorkspace = GlobalWorkspace,
        FreezeRouter = FreezeRouter,
    };

    /// <summary>Architecture and training.</summary>
    /// <param name="features">What the training set says of the column; null where there is none yet.</param>
    internal FeatureModelConfig ToConfig(FeatureColumn? features) => new()
    {
        Encoder = ToEncoderConfig(),
        Members = Members,
        EmbeddingWidth = EmbeddingWidth,
        Bins = Bins,
        Networks = Networks,
        Recipe = Recipe,
        SlotNames = features?.SlotNames,
        Groups = features?.Groups ?? [],
        CategorySlots = features?.SlotsOf(CategoricalSlots ?? []) ?? new HashSet<int>(),
        Training = ToTrainingConfig(),
    };
}
