using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Persistence;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Trainers;

namespace Microsoft.ML.Moe;

/// <summary>
/// Scores rows of features with a model that <see cref="MoeRegressionTrainer"/> has trained. Saved and loaded with
/// <c>mlContext.Model</c>, without any registration; the label column is not needed for predictions.
/// </summary>
/// <inheritdoc cref="MoeTransformer" path="/remarks"/>
public sealed class MoeRegressionTransformer : MoeFeatureTransformer, ISavedTransformer<MoeRegressionTransformer>
{
    private readonly ValueColumns _columns;

    internal MoeRegressionTransformer(ValueColumns columns, FittedModel model)
        : base(columns.Features, model, new ValueOutput(columns)) => _columns = columns;

    static ModelRegistration ISavedTransformer<MoeRegressionTransformer>.Kind { get; } = new(
        "MOEREGRE",
        ModelRegistration.RegressionLoader,
        (folder, transformer) => ModelZip.Write(folder, ((MoeRegressionTransformer)transformer).ToSaved()));

    internal override ModelRegistration Registration => KindOf<MoeRegressionTransformer>();

    /// <inheritdoc/>
    public override MoeRegressionTransformer WithRouting(Router router)
    {
        ArgumentNullException.ThrowIfNull(router);
        return With(hold => Model.WithRouting(router, hold));
    }

    /// <inheritdoc/>
    public override MoeRegressionTransformer WithPrecision(InferencePrecision precision) =>
        With(hold => Model.WithPrecision(precision, hold));

    /// <inheritdoc/>
    public override MoeRegressionTransformer WithMembers(params IReadOnlyList<int> members)
    {
        ArgumentNullException.ThrowIfNull(members);
        return With(hold => FeatureModels.WithMembers(Model, members, hold));
    }

    static MoeRegressionTransformer ISavedTransformer<MoeRegressionTransformer>.Read(ModelFolderReader folder) =>
        ModelZip.Read<ValueColumns, FeatureRow, MoeRegressionTransformer>(
            folder,
            FeatureModels.Load,
            (columns, model) => FeatureModels.RowsOf(columns.Features, model),
            saved => new MoeRegressionTransformer(saved.Columns, saved.Model));

    private SavedModel<ValueColumns> ToSaved() => new(_columns, Model);

    private MoeRegressionTransformer With(Func<IDisposable, FittedModel> change) =>
        Share(hold => new MoeRegressionTransformer(_columns, change(hold)));
}
