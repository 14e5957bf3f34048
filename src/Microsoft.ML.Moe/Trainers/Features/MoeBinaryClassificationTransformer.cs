using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Persistence;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Trainers;

namespace Microsoft.ML.Moe;

/// <summary>
/// Scores rows of features with a model that <see cref="MoeBinaryClassificationTrainer"/> has trained. Saved and loaded with
/// <c>mlContext.Model</c>, without any registration; the label column is not needed for predictions.
/// </summary>
/// <inheritdoc cref="MoeTransformer" path="/remarks"/>
public sealed class MoeBinaryClassificationTransformer : MoeFeatureTransformer, ISavedTransformer<MoeBinaryClassificationTransformer>
{
    private readonly BinaryColumns _columns;

    internal MoeBinaryClassificationTransformer(BinaryColumns columns, FittedModel model)
        : base(columns.Features, model, new BinaryOutput(columns)) => _columns = columns;

    static ModelRegistration ISavedTransformer<MoeBinaryClassificationTransformer>.Kind { get; } = new(
        "MOEBINCL",
        ModelRegistration.BinaryClassifierLoader,
        (folder, transformer) => ModelZip.Write(folder, ((MoeBinaryClassificationTransformer)transformer).ToSaved()));

    /// <summary>Log-odds over which the label is predicted as true; 0 unless changed.</summary>
    public float Threshold => _columns.Threshold;

    internal override ModelRegistration Registration => KindOf<MoeBinaryClassificationTransformer>();

    /// <summary>
    /// A new transformer that predicts true from another score on; score and probability stay. What <c>ChangeModelThreshold</c> does for
    /// ML.NET's own models. The two share the weights in memory; each can be disposed without harm to the other.
    /// </summary>
    /// <param name="threshold">Log-odds over which the label is predicted as true; finite.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="threshold"/> is not finite.</exception>
    /// <exception cref="ObjectDisposedException">This transformer was disposed.</exception>
    public MoeBinaryClassificationTransformer WithThreshold(float threshold) => float.IsFinite(threshold)
        ? With(_columns with { Threshold = threshold }, Model.Again)
        : throw new ArgumentOutOfRangeException(nameof(threshold), threshold, "A threshold is a finite number of log-odds.");

    /// <inheritdoc/>
    public override MoeBinaryClassificationTransformer WithRouting(Router router)
    {
        ArgumentNullException.ThrowIfNull(router);
        return With(_columns, hold => Model.WithRouting(router, hold));
    }

    /// <inheritdoc/>
    public override MoeBinaryClassificationTransformer WithPrecision(InferencePrecision precision) =>
        With(_columns, hold => Model.WithPrecision(precision, hold));

    /// <inheritdoc/>
    public override MoeBinaryClassificationTransformer WithMembers(params IReadOnlyList<int> members)
    {
        ArgumentNullException.ThrowIfNull(members);
        return With(_columns, hold => FeatureModels.WithMembers(Model, members, hold));
    }

    static MoeBinaryClassificationTransformer ISavedTransformer<MoeBinaryClassificationTransformer>.Read(ModelFolderReader folder) =>
        ModelZip.Read<BinaryColumns, FeatureRow, MoeBinaryClassificationTransformer>(
            folder,
            FeatureModels.Load,
            (columns, model) => FeatureModels.RowsOf(columns.Features, model),
            saved => new MoeBinaryClassificationTransformer(saved.Columns, saved.Model));

    private SavedModel<BinaryColumns> ToSaved() => new(_columns, Model);

    private MoeBinaryClassificationTransformer With(BinaryColumns columns, Func<IDisposable, FittedModel> change) =>
        Share(hold => new MoeBinaryClassificationTransformer(columns, change(hold)));
}
