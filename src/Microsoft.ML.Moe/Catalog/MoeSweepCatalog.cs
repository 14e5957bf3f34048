using Microsoft.ML.Moe;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Sweeps.Running;

namespace Microsoft.ML;

/// <summary>Extension methods of ML.NET's catalogs of trainers that search for good options.</summary>
public static class MoeSweepCatalog
{
    /// <summary>
    /// Create a <see cref="SweepEstimator{TOptions}"/> for one of several classes: it fits a pipeline with many options and gives the best model.
    /// </summary>
    /// <typeparam name="TOptions">Class of the options.</typeparam>
    /// <param name="catalog">The trainers' catalog.</param>
    /// <param name="space">Which options are changed, and within which bounds; such as <see cref="SearchSpaces.Text"/>.</param>
    /// <param name="factory">Makes a trainer or a whole pipeline with options; called once for each trial, by several threads.</param>
    /// <param name="options">How long to search, on what, and what to keep; null for the defaults. Copied.</param>
    /// <exception cref="ArgumentException">The space or an option is impossible; the message says in what.</exception>
    /// <example>
    /// <code language="csharp"><![CDATA[
    /// var sweep = mlContext.MulticlassClassification.Trainers.Sweep(
    ///     SearchSpaces.Text.Fix(o => o.Sentence1ColumnName, "Text"),
    ///     (ml, o) => ml.MulticlassClassification.Trainers.MoeTextClassifier(o),
    ///     new SweepOptions { TimeBudget = TimeSpan.FromMinutes(20), JournalFile = "sweep.jsonl" });
    /// var model = mlContext.Transforms.Conversion.MapValueToKey("Label").Append(sweep).Fit(data);
    /// ]]></code>
    /// </example>
    public static SweepEstimator<TOptions> Sweep<TOptions>(
        this MulticlassClassificationCatalog.MulticlassClassificationTrainers catalog,
        SearchSpace<TOptions> space,
        Func<MLContext, TOptions, IEstimator<ITransformer>> factory,
        SweepOptions? options = null)
        where TOptions : class, new() =>
        new(Environments.Of(catalog), space, factory, options, of => new ClassesTask(of));

    /// <summary>
    /// Create a <see cref="SweepEstimator{TOptions}"/> for yes or no: it fits a pipeline with many options and gives the best model.
    /// </summary>
    /// <inheritdoc cref="Sweep{TOptions}(MulticlassClassificationCatalog.MulticlassClassificationTrainers, SearchSpace{TOptions}, Func{MLContext, TOptions, IEstimator{ITransformer}}, SweepOptions?)"/>
    public static SweepEstimator<TOptions> Sweep<TOptions>(
        this BinaryClassificationCatalog.BinaryClassificationTrainers catalog,
        SearchSpace<TOptions> space,
        Func<MLContext, TOptions, IEstimator<ITransformer>> factory,
        SweepOptions? options = null)
        where TOptions : class, new() =>
        new(Environments.Of(catalog), space, factory, options, of => new BinaryTask(of));

    /// <summary>
    /// Create a <see cref="SweepEstimator{TOptions}"/> for a number: it fits a pipeline with many options and gives the best model.
    /// </summary>
    /// <inheritdoc cref="Sweep{TOptions}(MulticlassClassificationCatalog.MulticlassClassificationTrainers, SearchSpace{TOptions}, Func{MLContext, TOptions, IEstimator{ITransformer}}, SweepOptions?)"/>
    public static SweepEstimator<TOptions> Sweep<TOptions>(
        this RegressionCatalog.RegressionTrainers catalog,
        SearchSpace<TOptions> space,
        Func<MLContext, TOptions, IEstimator<ITransformer>> factory,
        SweepOptions? options = null)
        where TOptions : class, new() =>
        new(Environments.Of(catalog), space, factory, options, of => new NumberTask(of));

    /// <summary>
    /// Create a <see cref="SweepEstimator{TOptions}"/> for texts that a model writes, or goes on with: it fits a pipeline with
    /// <see cref="MoeTextToTextTrainer"/> or <see cref="MoeLanguageModelTrainer"/> with many options and gives the best model.
    /// </summary>
    /// <typeparam name="TOptions">Class of the options.</typeparam>
    /// <param name="catalog">The text transforms' catalog.</param>
    /// <param name="space">Which options are changed, and within which bounds; such as <see cref="SearchSpaces.TextToText"/>.</param>
    /// <param name="factory">Makes a trainer or a whole pipeline with options; called once for each trial, by several threads.</param>
    /// <param name="options">
    /// How long to search, on what, and what to keep; null for the defaults. Copied. <see cref="SweepOptions.LabelColumnName"/> is the column
    /// of what is to be written, and <see cref="SweepOptions.Metric"/> what trials are compared by.
    /// </param>
    /// <exception cref="ArgumentException">The space or an option is impossible; the message says in what.</exception>
    /// <example>
    /// <code language="csharp"><![CDATA[
    /// var sweep = mlContext.Transforms.Text.Sweep(
    ///     SearchSpaces.TextToText(PublishedModel.FromFolder("models/t5")),
    ///     (ml, o) => ml.Transforms.Text.MoeTextToText(o),
    ///     new SweepOptions { LabelColumnName = "Target", Metric = SweepMetric.RougeLsum, TimeBudget = TimeSpan.FromHours(2) });
    /// var model = sweep.Fit(data);
    /// ]]></code>
    /// </example>
    public static SweepEstimator<TOptions> Sweep<TOptions>(
        this TransformsCatalog.TextTransforms catalog,
        SearchSpace<TOptions> space,
        Func<MLContext, TOptions, IEstimator<ITransformer>> factory,
        SweepOptions? options = null)
        where TOptions : class, new() =>
        new(Environments.Of(catalog), space, factory, options, of => new TextTask(of));
}
