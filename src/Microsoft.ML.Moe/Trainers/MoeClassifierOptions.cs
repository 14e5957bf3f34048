using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Trainers;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.SearchSpace;

namespace Microsoft.ML.Moe;

/// <summary>What all trainers of classifiers have in common.</summary>
public abstract class MoeClassifierOptions : MoeEncoderOptions
{
    private protected MoeClassifierOptions()
    {
    }

    /// <summary>Column of the label, a key of any type. Default <c>Label</c>.</summary>
    public string LabelColumnName { get; set; } = "Label";

    /// <summary>Column that receives the probabilities of the labels. Default <c>Score</c>.</summary>
    public string ScoreColumnName { get; set; } = "Score";

    /// <summary>Column that receives the most probable label. Default <c>PredictedLabel</c>.</summary>
    public string PredictedLabelColumnName { get; set; } = "PredictedLabel";

    /// <summary>
    /// Column that receives how unsure the routers are about a row: a vector of the <c>Mean</c> and <c>Max</c> of the router
    /// entropy over the row's tokens and all MoE layers, in nats; null for none. Needs MoE layers. Default null.
    /// </summary>
    public string? RouterEntropyColumnName { get; set; }

    /// <summary>
    /// Column that receives whether the routers are unsure about a row: whether the mean router entropy is at least
    /// <see cref="UncertainThreshold"/> · ln N; null for none. Needs MoE layers. Default null.
    /// </summary>
    public string? UncertainColumnName { get; set; }

    /// <summary>
    /// From which mean router entropy a row counts as uncertain, as a share of the largest possible, ln N. Within [0, 1].
    /// Default 0.75.
    /// </summary>
    public double UncertainThreshold { get; set; } = RoutingReportOptions.DefaultUncertainThreshold;

    /// <summary>
    /// Column of the rows' weights in the loss, single-precision numbers of at least 0; null weights all rows alike. Default null.
    /// </summary>
    public string? WeightColumnName { get; set; }

    /// <summary>
    /// Rows by which the best epoch is chosen, with the same columns as the training set; its labels may be keys, of whatever
    /// order, or plain values. null draws <see cref="MoeTrainerOptions.ValidationShare"/> of the training rows. Default null.
    /// </summary>
    public IDataView? ValidationSet { get; set; }

    /// <summary>Share of the target's probability that is spread evenly over the classes, within [0, 1). Default 0.1.</summary>
    [Range(0f, 0.2f, 0.1f)]
    public float LabelSmoothing { get; set; } = 0.1f;

    /// <summary>How rows are weighted by class. Default <see cref="ClassWeighting.None"/>.</summary>
    public ClassWeighting ClassWeighting { get; set; } = ClassWeighting.None;

    /// <summary>
    /// GW-MoE fine-tuning (arXiv 2406.12375): tokens whose router is uncertain are sent to all experts while training, so that
    /// whichever expert such a token meets later knows it; predictions afterwards cost what they always cost. null trains with the
    /// router alone. Default null.
    /// </summary>
    public GlobalWorkspaceSettings? GlobalWorkspace { get; set; }

    /// <summary>
    /// Whether the routers stay as they are, as in the fine-tuning of the GW-MoE paper. Makes sense only with
    /// <see cref="InitialModel"/>. Default false.
    /// </summary>
    public bool FreezeRouter { get; set; }

    /// <summary>
    /// An earlier model of the same kind to start from instead of random weights: a fitted transformer
    /// (<see cref="PretrainedModel.From"/>) or the path of a saved one. Architecture, router and input are then the earlier model's,
    /// whatever the options say; training, and how much of a text is read, is the options'. A model with a published encoder is none to start
    /// from. The labels may be others: of those with the same value and type the
    /// earlier classifier's knowledge is kept, whatever their order. null starts from random weights. Default null.
    /// </summary>
    public PretrainedModel? InitialModel { get; set; }

    /// <summary>Names of the columns that a model of these options writes.</summary>
    internal abstract ClassificationColumns Columns { get; }

    /// <summary>The columns about uncertainty, if any.</summary>
    private protected UncertaintyColumns? Uncertainty =>
        UncertaintyColumns.Of(RouterEntropyColumnName, UncertainColumnName, UncertainThreshold);

    internal override IDataView? ValidationRows { set => ValidationSet = value; }

    private protected override bool HasValidation => base.HasValidation || ValidationSet is not null;

    private protected override bool DecidesArchitecture => InitialModel is null;

    internal override IEnumerable<(string Option, string Reason)> WithoutEffect()
    {
        foreach (var option in base.WithoutEffect())
            yield return option;
        if (InitialModel is not null)
        {
            foreach (var option in Changed(OfArchitecture))
                yield return (option, $"it is that of {nameof(InitialModel)}");
        }

        if (ValidationSet is not null && Changed(nameof(ValidationShare)).Any())
            yield return (nameof(ValidationShare), $"{nameof(ValidationSet)} is what is validated with");
        if (UncertainColumnName is null && Changed(nameof(UncertainThreshold)).Any())
            yield return (nameof(UncertainThreshold), $"{nameof(UncertainColumnName)} is null");
    }

    private protected override string HowToValidate => $"set {nameof(ValidationSet)} or {nameof(ValidationShare)}";

    /// <summary>The label, its weight, and the columns that are written.</summary>
    private protected override ColumnNames Names => new ColumnNames()
        .Read(LabelColumnName, nameof(LabelColumnName))
        .ReadIfNamed(WeightColumnName, nameof(WeightColumnName))
        .Write(ScoreColumnName, nameof(ScoreColumnName))
        .Write(PredictedLabelColumnName, nameof(PredictedLabelColumnName))
        .WriteIfNamed(RouterEntropyColumnName, nameof(RouterEntropyColumnName))
        .WriteIfNamed(UncertainColumnName, nameof(UncertainColumnName));

    private protected override void CheckTask()
    {
        OptionCheck.Range(UncertainThreshold, 0, 1, nameof(UncertainThreshold));
        if (DecidesArchitecture && Uncertainty is not null && ToEncoderConfig().MoeLayers == 0)
            throw new ArgumentException(
                $"{nameof(RouterEntropyColumnName)} and {nameof(UncertainColumnName)} need MoE layers, and there are none with "
                + $"{nameof(Layers)} = {Layers} and {nameof(MoeEvery)} = {MoeEvery}.",
                nameof(MoeEvery));
        if (DecidesArchitecture && Uncertainty is not null && Router.Kind == RouterKind.Soft)
            throw new ArgumentException(
                $"{nameof(RouterEntropyColumnName)} and {nameof(UncertainColumnName)} need a router that chooses. {Router.SoftChoosesNothing}", nameof(Router));
    }

    internal override TrainingConfig ToTrainingConfig() => base.ToTrainingConfig() with
    {
        LabelSmoothing = LabelSmoothing,
        ClassWeighting = ClassWeighting,
        GlobalWorkspace = GlobalWorkspace,
        FreezeRouter = FreezeRouter,
    };
}
