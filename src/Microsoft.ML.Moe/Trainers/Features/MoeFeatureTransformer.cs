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

    /// <inheritdoc cref="MoeClassificationTransformer.ReportRouting"/>
    public RoutingReport ReportRouting(
        IDataView data, RoutingReportOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(data);
        using var hold = Hold();
        return Model.ReportRouting(data, options, cancellationToken);
    }
}
