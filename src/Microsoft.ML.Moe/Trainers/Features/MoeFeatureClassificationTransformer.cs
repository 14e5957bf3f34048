using Microsoft.ML.Data;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Persistence;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Trainers;

namespace Microsoft.ML.Moe;

/// <summary>
/// Scores rows of features with a classifier that <see cref="MoeFeatureClassificationTrainer"/> has trained. Saved and loaded with
/// <c>mlContext.Model</c>, without any registration; the label column is not needed for predictions.
/// </summary>
/// <inheritdoc cref="MoeTransformer" path="/remarks"/>
public sealed class MoeFeatureClassificationTransformer
    : MoeClassificationTransformer,
        ISingleFeaturePredictionTransformer<MoeTransformer>,
        IFeatureTransformer,
        ISavedTransformer<MoeFeatureClassificationTransformer>
{
    private readonly FeatureClassificationColumns _columns;

    internal MoeFeatureClassificationTransformer(FeatureClassificationColumns columns, FittedModel model, LabelValues? labels)
        : base(columns, model, labels) => _columns = columns;

    static ModelRegistration ISavedTransformer<MoeFeatureClassificationTransformer>.Kind { get; } = new(
        "MOEFTRCL",
        ModelRegistration.ClassifierLoader,
        (folder, transformer) => ModelZip.Write(folder, ((MoeFeatureClassificationTransformer)transformer).ToSaved()));

    /// <summary>Name of the feature column.</summary>
    public string FeatureColumnName => _columns.Features;

    /// <summary>Type of the feature column.</summary>
    public DataViewType FeatureColumnType => FeatureModels.TypeOf(Model);

    /// <summary>Number of members.</summary>
    public int Members => FeatureModels.InputOf(Model).Members;

    MoeTransformer IPredictionTransformer<MoeTransformer>.Model => this;

    internal override ModelRegistration Registration => KindOf<MoeFeatureClassificationTransformer>();

    /// <inheritdoc/>
    public override MoeFeatureClassificationTransformer WithRouting(Router router)
    {
        ArgumentNullException.ThrowIfNull(router);
        return With(_columns, hold => Model.WithRouting(router, hold));
    }

    /// <inheritdoc/>
    public override MoeFeatureClassificationTransformer WithPrecision(InferencePrecision precision) =>
        With(_columns, hold => Model.WithPrecision(precision, hold));

    /// <inheritdoc/>
    public override MoeFeatureClassificationTransformer WithRouterEntropy(
        string? entropyColumnName = "RouterEntropy",
        string? uncertainColumnName = "Uncertain",
        double threshold = RoutingReportOptions.DefaultUncertainThreshold) =>
        With(WithUncertainty<FeatureClassificationColumns>(entropyColumnName, uncertainColumnName, threshold), Model.Again);

    /// <summary>
    /// A new transformer that scores with some of the members alone, in as much less time: an ensemble is often as good with half of them. Which,
    /// validation rows tell. Its weights are copied; each of the two can be disposed without harm to the other.
    /// </summary>
    /// <param name="members">Numbers of the members to keep, from 0, each once.</param>
    /// <exception cref="ArgumentException">There are none, or one is not there or named twice.</exception>
    /// <exception cref="ObjectDisposedException">This transformer was disposed.</exception>
    public MoeFeatureClassificationTransformer WithMembers(params IReadOnlyList<int> members)
    {
        ArgumentNullException.ThrowIfNull(members);
        return With(_columns, hold => FeatureModels.WithMembers(Model, members, hold));
    }

    /// <summary>
    /// Tells by which slots the experts get their rows: for each expert the slots whose mean over its tokens differs most from that over all.
    /// </summary>
    /// <param name="data">Rows to score, read once and in batches; no label is needed.</param>
    /// <param name="top">Slots of each expert at most, at least 1.</param>
    /// <returns>One entry for each expert of each layer.</returns>
    /// <exception cref="ArgumentOutOfRangeException">
    /// A column is missing or of the wrong type, or <paramref name="top"/> is below 1; the message names it.
    /// </exception>
    /// <exception cref="InvalidOperationException">The model has no MoE layers.</exception>
    /// <exception cref="ObjectDisposedException">This transformer was disposed.</exception>
    public IReadOnlyList<ExpertSlots> ReportSlots(IDataView data, int top = 5)
    {
        ArgumentNullException.ThrowIfNull(data);
        using var hold = Hold();
        return FeatureModels.ReportSlots(Model, data, top);
    }

    static MoeFeatureClassificationTransformer ISavedTransformer<MoeFeatureClassificationTransformer>.Read(ModelFolderReader folder) =>
        ModelZip.Read<FeatureClassificationColumns, FeatureRow, MoeFeatureClassificationTransformer>(
            folder,
            FeatureModels.Load,
            (columns, model) => FeatureModels.RowsOf(columns.Features, model),
            saved => new MoeFeatureClassificationTransformer(saved.Columns, saved.Model, saved.Labels));

    private SavedModel<FeatureClassificationColumns> ToSaved() => new(_columns, Model, Labels);

    private MoeFeatureClassificationTransformer With(FeatureClassificationColumns columns, Func<IDisposable, FittedModel> change) =>
        Share(hold => new MoeFeatureClassificationTransformer(columns, change(hold), Labels));
}
