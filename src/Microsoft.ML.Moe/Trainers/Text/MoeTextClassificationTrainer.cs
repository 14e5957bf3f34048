using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Persistence;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Trainers;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe;

/// <summary>
/// The <see cref="IEstimator{TTransformer}"/> for classifying text with a transformer encoder whose feed-forward blocks are mixtures
/// of experts, trained from scratch or from an earlier model, or with a published encoder.
/// </summary>
/// <remarks>
/// <format type="text/markdown"><![CDATA[
/// To create this trainer, use
/// [MoeTextClassifier](xref:Microsoft.ML.MoeCatalog.MoeTextClassifier(Microsoft.ML.MulticlassClassificationCatalog.MulticlassClassificationTrainers,System.String,System.String,System.String,System.String,System.String,System.Int32,System.Nullable{System.Int32},Microsoft.ML.IDataView))
/// or
/// [MoeTextClassifier(Options)](xref:Microsoft.ML.MoeCatalog.MoeTextClassifier(Microsoft.ML.MulticlassClassificationCatalog.MulticlassClassificationTrainers,Microsoft.ML.Moe.MoeTextClassificationTrainer.Options)).
///
/// ### Input and output columns
/// The label column must be of [key](xref:Microsoft.ML.Data.KeyDataViewType) type, with values of any type behind the keys; the
/// text column, or both of a pair, of <xref:Microsoft.ML.Data.TextDataViewType>. Rows with a missing label are left out; missing or
/// blank text is an empty text. Predictions do not need the label column.
///
/// This trainer outputs the following columns:
///
/// | Output column name | Column type | Description |
/// | -- | -- | -- |
/// | `PredictedLabel` | [key](xref:Microsoft.ML.Data.KeyDataViewType) type | The most probable label, with the values of the label column behind its keys: [MapKeyToValue](xref:Microsoft.ML.ConversionsExtensionsCatalog.MapKeyToValue*) gives them back. |
/// | `Score` | Vector of <xref:System.Single> | The probability of each label, in the order of the keys; they sum to 1. The slots are named after the labels. |
/// | `RouterEntropy` | Vector of two <xref:System.Single> | Only with `RouterEntropyColumnName`: mean and largest entropy of the routers over the row's tokens, in nats. |
/// | `Uncertain` | <xref:System.Boolean> | Only with `UncertainColumnName`: whether that mean is at least `UncertainThreshold` · ln(experts). |
///
/// ### Trainer characteristics
/// | Characteristic | Value |
/// | -- | -- |
/// | Machine learning task | Multiclass classification |
/// | Is normalization required? | No |
/// | Is caching required? | No |
/// | Required NuGet in addition to Microsoft.ML | MlNetMoe, and with a published encoder its own, such as MlNetMoe.MiniLM |
/// | Exportable to ONNX | No |
///
/// ### Training algorithm details
/// Words, with hashed character n-grams so that unseen words still say something, or the subwords of a tokenizer, become vectors
/// that pre-norm transformer blocks put in context; in every n-th block a router sends each token to the best few of several expert
/// networks (Shazeer et al. 2017; Fedus et al. 2021). The pooled text vector gives the classes' scores. AdamW with warm-up trains
/// it; with validation rows the best epoch is kept. Beside it, multinomial logistic regression is fitted over tf-idf of words, word pairs
/// and character n-grams, and the two are weighed against each other on rows that neither has learned from (a product of experts, Hinton
/// 2002). The same seed gives the same model, whatever the number of threads.
///
/// With `Encoder` a published encoder takes the place of the transformer blocks. A layer is fitted over the pooled states of its last layers,
/// the linear model beside it as above; where the table calls for it, its last blocks are fine-tuned by cross-entropy or supervised contrast
/// (Khosla et al. 2020), and kept if they are better on rows held out.
/// ]]></format>
/// </remarks>
/// <example>
/// <code language="csharp"><![CDATA[
/// var mlContext = new MLContext(seed: 1);
/// var pipeline = mlContext.Transforms.Conversion.MapValueToKey("Label")
///     .Append(mlContext.MulticlassClassification.Trainers.MoeTextClassifier(sentence1ColumnName: "Text"))
///     .Append(mlContext.Transforms.Conversion.MapKeyToValue("PredictedLabel"));
/// var model = pipeline.Fit(trainingData);
/// var metrics = mlContext.MulticlassClassification.Evaluate(model.Transform(testData));
/// ]]></code>
/// </example>
public sealed partial class MoeTextClassificationTrainer
    : MoeTrainer<MoeTextClassificationTrainer.Options, MoeTextClassificationTransformer>
{
    internal MoeTextClassificationTrainer(IHostEnvironment environment, Options options)
        : base(environment, options)
    {
    }

    private protected override MoeTextClassificationTransformer Fit(IDataView input, IHostEnvironment environment, FitRun run)
    {
        var columns = Settings.Columns;
        var classes = LabelClasses.Of(Settings.ColumnsOf(input), Settings.LabelColumnName);
        if (Settings.Encoder is { } encoder)
            return Fit(input, classes, PublishedEncoderSource.Open(encoder, Settings.Upcycling), run);
        var start = FindStart(Settings, classes, Settings.Tokenizer, environment, run.Channel);
        var tokenizer = Settings.Tokenizer ?? start?.Tokenizer;
        var model = new ClassifierFit<EncodedText>(run, Settings).Execute(
            input,
            classes,
            engine =>
            {
                var trainer = new TextClassifierTrainer(Settings.ToConfig(), classes.Count, engine, tokenizer, start?.Values);
                return (RowsOf(trainer.Input), trainer);
            },
            trained => RowsOf((TextInput)trained.Input));
        return new MoeTextClassificationTransformer(
            new SavedModel<TextClassificationColumns>(columns, model, classes.Values, tokenizer) { StoredWeights = Settings.StoredWeights });
    }

    /// <summary>Trains with a published encoder.</summary>
    private MoeTextClassificationTransformer Fit(IDataView input, LabelClasses classes, PublishedEncoderSource source, FitRun run)
    {
        var model = new ClassifierFit<EncodedText>(run, Settings).Execute(
            input,
            classes,
            engine =>
            {
                var trainer = new PublishedTextTrainer(Settings.ToPublishedConfig(), source, classes.Count, engine);
                return (RowsOf(trainer.Input), trainer);
            },
            trained => RowsOf((TextInput)trained.Input));
        // an encoder that does not know the language is left out
        var isPublished = model.Config.Input is PublishedTextInputConfig;
        return new MoeTextClassificationTransformer(new SavedModel<TextClassificationColumns>(
            Settings.Columns, model, classes.Values, isPublished ? TextTokenizer.FromHuggingFace(source.HuggingFaceTokenizer) : null)
        {
            EncoderConfig = isPublished ? source.ConfigFile : null,
            StoredWeights = Settings.StoredWeights,
        });
    }

    private TextRows RowsOf(TextInput reader) => new(Settings.Sentence1ColumnName, Settings.Sentence2ColumnName, reader);

    private protected override SchemaShape Promise(NamedShape inputSchema)
    {
        InputColumns.CheckText(inputSchema, Settings.Sentence1ColumnName);
        if (Settings.Sentence2ColumnName is { } second)
            InputColumns.CheckText(inputSchema, second);
        return ClassesOutput.Promise(inputSchema, Settings.Columns, Settings.LabelColumnName, Settings.WeightColumnName);
    }
}
