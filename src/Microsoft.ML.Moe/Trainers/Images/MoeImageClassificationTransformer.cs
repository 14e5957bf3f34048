using Microsoft.ML.Moe.Evaluation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Persistence;
using Microsoft.ML.Moe.Reports;
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

    /// <summary>
    /// A new transformer over the same weights that does otherwise about rows whose image cannot be used: by
    /// <see cref="BadImageHandling.Skip"/> they have missing values, and nothing fails. Saved and loaded with the model. The two share the
    /// weights in memory; each can be disposed without harm to the other.
    /// </summary>
    /// <param name="handling">What is done.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="handling"/> is none of those.</exception>
    /// <exception cref="ObjectDisposedException">This transformer was disposed.</exception>
    public MoeImageClassificationTransformer WithBadImages(BadImageHandling handling)
    {
        var columns = _columns with { BadImages = OptionCheck.Defined(handling, nameof(handling)) };
        var model = (FittedModel<ImagePixels>)Model;
        return With(columns, hold => model.Reading(one => RowsOf(columns, one), hold));
    }

    /// <summary>
    /// Measures what the classifier makes of spoiled images: the fifteen corruptions of ImageNet-C in five severities, on images as the
    /// model reads them, and attacks along the gradients of its own loss by the pixels, on those that it tells right.
    /// </summary>
    /// <param name="data">Labelled rows, read once and kept in memory. Rows whose label is missing or was not in the training set are left
    /// out.</param>
    /// <param name="options">What is measured; null for the defaults.</param>
    /// <param name="labelColumnName">The label: keys with the training set's values behind them, or plain values of the same type.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ArgumentException">A column is missing or of the wrong type, or an option is impossible; the message names
    /// it.</exception>
    /// <exception cref="InvalidOperationException">The table has no rows with a known label.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <example>
    /// <code language="csharp"><![CDATA[
    /// var metrics = model.LastTransformer.EvaluateRobustness(testData);
    /// Console.WriteLine(metrics);
    /// ]]></code>
    /// </example>
    public RobustnessMetrics EvaluateRobustness(
        IDataView data, RobustnessOptions? options = null, string labelColumnName = "Label", CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentException.ThrowIfNullOrEmpty(labelColumnName);
        options ??= new RobustnessOptions();
        options.Check();
        using var hold = Hold();
        return ((FittedModel<ImagePixels>)Model).Report(data, labelColumnName, Labels, (model, rows) =>
            Robustness.Measure(model, rows, options, cancellationToken));
    }

    /// <summary>
    /// Draws which expert each patch of images goes to, with several routers side by side and layer by layer, without training; with masks
    /// it also measures how well experts tell objects from background.
    /// </summary>
    /// <param name="data">Rows to draw; no label is needed. With masks all rows are read, else the first few.</param>
    /// <param name="options">What is drawn; null for the defaults.</param>
    /// <exception cref="ArgumentException">A column is missing or of the wrong type, or an option is impossible; the message names
    /// it.</exception>
    /// <exception cref="InvalidOperationException">The model has no MoE layers, the table no rows, or a mask another size.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    /// <example>
    /// <code language="csharp"><![CDATA[
    /// model.LastTransformer.DrawRouting(testData).SaveHtml("experts.html");
    /// ]]></code>
    /// </example>
    public RoutingPictures DrawRouting(IDataView data, RoutingPicturesOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(data);
        options ??= new RoutingPicturesOptions();
        options.Check();
        var masks = options.MaskColumnName is { } name ? ImageReports.Masks(data, name) : null;
        using var hold = Hold();
        return ((FittedModel<ImagePixels>)Model).Report(data, (model, rows) => ImageReports.Of(model, rows, masks, options));
    }

    static MoeImageClassificationTransformer ISavedTransformer<MoeImageClassificationTransformer>.Read(ModelFolderReader folder) =>
        ModelZip.Read<ImageClassificationColumns, ImagePixels, MoeImageClassificationTransformer>(
            folder,
            (config, weights, engine, _) => ModelFiles.LoadImage(config, weights, engine),
            (columns, model) => RowsOf(columns, model),
            saved => new MoeImageClassificationTransformer(saved.Columns, saved.Model, saved.Labels));

    private static ImageRows RowsOf(ImageClassificationColumns columns, Model<ImagePixels> model) =>
        Enum.IsDefined(columns.BadImages)
            ? new(columns.Features, ((PatchInput)model.Input).Images, columns.BadImages)
            : throw new InvalidDataException($"{ModelZip.Columns} has no such {nameof(BadImageHandling)} as {columns.BadImages}: the file is damaged.");

    private SavedModel<ImageClassificationColumns> ToSaved() => new(_columns, Model, Labels);

    private MoeImageClassificationTransformer With(ImageClassificationColumns columns, Func<IDisposable, FittedModel> change) =>
        Share(hold => new MoeImageClassificationTransformer(columns, change(hold), Labels));
}
