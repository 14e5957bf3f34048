using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Persistence;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Trainers;

namespace Microsoft.ML.Moe;

/// <summary>
/// Scores images with a classifier that <see cref="MoeImageClassificationTrainer"/> has trained. Saved and loaded with
/// <c>mlContext.Model</c>, without any registration; the label column is not needed for predictions.
/// </summary>
/// <inheritdoc cref="MoeTransformer" path="/remarks"/>
public sealed class MoeImageClassificationTransformer
    : MoeClassificationTransformer, ISavedTransformer<MoeImageClassificationTransformer>
{
    private readonly ImageClassificationColumns _columns;

    internal MoeImageClassificationTransformer(ImageClassificationColumns columns, FittedModel model, LabelValues? labels)
        : base(columns, model, labels) => _columns = columns;

    static ModelRegistration ISavedTransformer<MoeImageClassificationTransformer>.Kind { get; } = new(
        "MOEIMGCL",
        ModelRegistration.ImageClassifierLoader,
        (folder, transformer) => ModelZip.Write(folder, ((MoeImageClassificationTransformer)transformer).ToSaved()));

    internal override ModelRegistration Registration => KindOf<MoeImageClassificationTransformer>();

    /// <inheritdoc/>
    public override MoeImageClassificationTransformer WithRouting(Router router)
    {
        ArgumentNullException.ThrowIfNull(router);
        return With(_columns, hold => Model.WithRouting(router, hold));
    }

    /// <inheritdoc/>
    public override MoeImageClassificationTransformer WithPrecision(InferencePrecision precision) =>
        With(_columns, hold => Model.WithPrecision(precision, hold));

    /// <inheritdoc/>
    public override MoeImageClassificationTransformer WithRouterEntropy(
        string? entropyColumnName = "RouterEntropy",
        string? uncertainColumnName = "Uncertain",
        double threshold = RoutingReportOptions.DefaultUncertainThreshold) =>
        With(WithUncertainty<ImageClassificationColumns>(entropyColumnName, uncertainColumnName, threshold), Model.Again);

    static MoeImageClassificationTransformer ISavedTransformer<MoeImageClassificationTransformer>.Read(ModelFolderReader folder) =>
        ModelZip.Read<ImageClassificationColumns, ImagePixels, MoeImageClassificationTransformer>(
            folder,
            (config, weights, engine, _) => ModelFiles.LoadImage(config, weights, engine),
            (columns, model) => new ImageRows(columns.Features, ((PatchInput)model.Input).Images),
            saved => new MoeImageClassificationTransformer(saved.Columns, saved.Model, saved.Labels));

    private SavedModel<ImageClassificationColumns> ToSaved() => new(_columns, Model, Labels);

    private MoeImageClassificationTransformer With(ImageClassificationColumns columns, Func<IDisposable, FittedModel> change) =>
        Share(hold => new MoeImageClassificationTransformer(columns, change(hold), Labels));
}
