using Microsoft.ML.Data;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Trainers;

namespace Microsoft.ML.Moe;

/// <summary>What the transformers have in common that score rows of features with one number.</summary>
/// <inheritdoc cref="MoeTransformer" path="/remarks"/>
public abstract class MoeFeatureTransformer : MoeTransformer, ISingleFeaturePredictionTransformer<MoeTransformer>, IFeatureTransformer
{
    private protected MoeFeatureTransformer(string features, FittedModel model, OutputColumns output)
        : base(model, output) => FeatureColumnName = features;

    /// <summary>Name of the feature column.</summary>
    public string FeatureColumnName { get; }

    /// <summary>Type of the feature column.</summary>
    public DataViewType FeatureColumnType => FeatureModels.TypeOf(Model);

    /// <summary>Number of members.</summary>
    public int Members => FeatureModels.InputOf(Model).Members;

    MoeTransformer IPredictionTransformer<MoeTransformer>.Model => this;

    /// <inheritdoc cref="MoeClassificationTransformer.WithRouting"/>
    public abstract MoeFeatureTransformer WithRouting(Router router);

    /// <inheritdoc cref="MoeClassificationTransformer.WithPrecision"/>
    public abstract MoeFeatureTransformer WithPrecision(InferencePrecision precision);

    /// <summary>
    /// A new transformer that scores with some of the members alone, in as much less time: an ensemble is often as good with half of them. Which,
    /// validation rows tell. Its weights are copied; each of the two can be disposed without harm to the other.
    /// </summary>
    /// <param name="members">Numbers of the members to keep, from 0, each once.</param>
    /// <exception cref="ArgumentException">There are none, or one is not there or named twice.</exception>
    /// <exception cref="ObjectDisposedException">This transformer was disposed.</exception>
    public abstract MoeFeatureTransformer WithMembers(params IReadOnlyList<int> members);

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

    /// <inheritdoc cref="MoeClassificationTransformer.ReportRouting"/>
    public RoutingReport ReportRouting(
        IDataView data, RoutingReportOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(data);
        using var hold = Hold();
        return Model.ReportRouting(data, options, cancellationToken);
    }
}
