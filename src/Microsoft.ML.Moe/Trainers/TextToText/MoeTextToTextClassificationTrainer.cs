using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Trainers;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe;

/// <summary>
/// The <see cref="IEstimator{TTransformer}"/> that fine-tunes a published model that writes text, an encoder–decoder or a causal one, to
/// tell classes by what it would write.
/// </summary>
/// <remarks>
/// <format type="text/markdown"><![CDATA[
/// To create this estimator, use
/// [MoeTextToText](xref:Microsoft.ML.MoeCatalog.MoeTextToText(Microsoft.ML.MulticlassClassificationCatalog.MulticlassClassificationTrainers,Microsoft.ML.Moe.PublishedModel,System.String,System.String,System.String,System.String))
/// or
/// [MoeTextToText(Options)](xref:Microsoft.ML.MoeCatalog.MoeTextToText(Microsoft.ML.MulticlassClassificationCatalog.MulticlassClassificationTrainers,Microsoft.ML.Moe.MoeTextToTextClassificationTrainer.Options)).
///
/// ### Input and output columns
/// The columns of the prompt must be of <xref:Microsoft.ML.Data.TextDataViewType>, and the label column a key. This trainer outputs:
///
/// | Column | Type | What |
/// | -- | -- | -- |
/// | `Score` | Vector of <xref:System.Single> | The probabilities of the classes' texts, divided by their sum |
/// | `PredictedLabel` | Key | The class with the largest |
///
/// ### Trainer characteristics
/// | Characteristic | Value |
/// | -- | -- |
/// | Machine learning task | Multiclass classification |
/// | Is normalization required? | No |
/// | Is caching required? | No |
/// | Required NuGet in addition to Microsoft.ML | MlNetMoe |
/// | Exportable to ONNX | No |
///
/// ### Training algorithm details
/// The model learns to write the text of a row's class (Raffel et al. 2020, section 2.3). A class's probability is that of its text with
/// the end token behind it, among the texts of all classes. While training, uncertain tokens may go to all experts (GW-MoE, arXiv
/// 2406.12375), and the experts may have another router (USMoE, arXiv 2503.22996). ]]></format>
/// </remarks>
/// <example>
/// <code language="csharp"><![CDATA[
/// var options = MoeTextToTextClassificationTrainer.Options.Glue(GlueTask.Rte);
/// options.Model = PublishedModel.FromFolder("models/switch-base-8");
/// var pipeline = mlContext.Transforms.Conversion.MapValueToKey("Label")
///     .Append(mlContext.MulticlassClassification.Trainers.MoeTextToText(options));
/// ]]></code>
/// </example>
public sealed partial class MoeTextToTextClassificationTrainer
    : MoeTrainer<MoeTextToTextClassificationTrainer.Options, MoeTextToTextClassificationTransformer>
{
    internal MoeTextToTextClassificationTrainer(IHostEnvironment environment, Options options)
        : base(environment, options)
    {
    }

    private protected override MoeTextToTextClassificationTransformer Fit(IDataView input, IHostEnvironment environment, FitRun run)
    {
        var classes = LabelClasses.Of(Settings.ColumnsOf(input), Settings.LabelColumnName);
        var texts = TextsOf(classes);
        var prompt = Settings.ToPrompt();
        ClassTextScorer? scorer = null;
        return new GeneratorFit(run, Settings).Execute(
            input,
            schema => TaughtClasses.Of(
                schema, prompt, Settings.LabelColumnName, classes, texts, isTraining: schema.Table != TableName.ValidationSet),
            isPlain: false,
            task => scorer = ClassTextScorer.Create(
                task.Generator,
                new ClassTextSettings(texts, Settings.Reading, task.MaximumTargetTokens, task.EndToken),
                task.Generation with { Sample = false },
                Settings.ScoringBatchSize),
            (_, validation) => Settings.Metric == TextMetric.Loss ? null : new ClassTextAccuracy(validation, scorer!),
            (task, shared) => MoeTextToTextClassificationTransformer.Create(
                shared,
                task.Generator,
                scorer!,
                new ClassTextModel(
                    Settings.Columns,
                    classes.Values,
                    prompt,
                    task.MaximumPromptTokens,
                    Settings.PrecisionAfterwards,
                    Settings.SourceOfWeights)));
    }

    private protected override SchemaShape Promise(NamedShape inputSchema)
    {
        TaughtTexts.Check(inputSchema, Settings.ToPrompt(), target: null);
        return ClassesOutput.Promise(inputSchema, Settings.Columns, Settings.LabelColumnName, weight: null);
    }

    private IReadOnlyList<string> TextsOf(LabelClasses classes)
    {
        var texts = Settings.ClassTexts ?? classes.Values?.Texts ?? throw new InvalidOperationException(
            $"The keys of column '{Settings.LabelColumnName}' have no values behind them: say in "
            + $"{nameof(Settings.ClassTexts)} what the model writes for each.");
        if (texts.Count != classes.Count)
        {
            throw new InvalidOperationException(
                $"{nameof(Settings.ClassTexts)} has {texts.Count} texts, and column '{Settings.LabelColumnName}' {classes.Count} key "
                + "values.");
        }

        return texts.FirstOrDefault(string.IsNullOrWhiteSpace) is null ? texts : throw new InvalidOperationException(
            $"A key of column '{Settings.LabelColumnName}' has an empty value: say in {nameof(Settings.ClassTexts)} what the model "
            + "writes for each.");
    }
}
