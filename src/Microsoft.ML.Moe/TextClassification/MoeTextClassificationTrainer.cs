using Microsoft.ML.Moe.Classification;
using Microsoft.ML.Moe.FineTuning;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Text;
using Microsoft.ML.Moe.TextClassification;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe;

/// <summary>
/// The <see cref="IEstimator{TTransformer}"/> for classifying text with a transformer encoder whose feed-forward blocks are mixtures
/// of experts, trained from scratch or from an earlier model.
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
/// | Required NuGet in addition to Microsoft.ML | MlNetMoe |
/// | Exportable to ONNX | No |
///
/// ### Training algorithm details
/// Words, with hashed character n-grams so that unseen words still say something, or the subwords of a tokenizer, become vectors
/// that pre-norm transformer blocks put in context; in every n-th block a router sends each token to the best few of several expert
/// networks (Shazeer et al. 2017; Fedus et al. 2021). The pooled text vector gives the classes' scores, to which a linear model over
/// words and word pairs adds its own (Cheng et al. 2016). AdamW with warm-up trains all of it; with validation rows the best epoch
/// is kept. The same seed gives the same model, whatever the number of threads.
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
public sealed partial class MoeTextClassificationTrainer : IEstimator<MoeTextClassificationTransformer>
{
    private readonly IHost _host;
    private readonly Options _options;
    private readonly TextClassificationColumns _columns;

    internal MoeTextClassificationTrainer(IHostEnvironment environment, Options options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options.Copy();
        _options.Validate();
        _options.Seed ??= Environments.SeedOf(environment);
        _columns = _options.Columns;
        _host = environment.Register(nameof(MoeTextClassificationTrainer));
    }

    /// <summary>Trains a classifier.</summary>
    /// <param name="input">Training rows; read once.</param>
    /// <returns>The transformer that scores with it. Dispose it to release the model's memory early.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of the wrong type; the message names it.</exception>
    /// <exception cref="InvalidOperationException">
    /// The table has no labelled rows or only one class, the loss became infinite (the message tells epoch and learning rate),
    /// <see cref="Options.InitialModel"/> is no model to start from, or <see cref="Options.Device"/> cannot be used.
    /// </exception>
    /// <exception cref="FileNotFoundException"><see cref="Options.InitialModel"/> is a file that is not there.</exception>
    /// <exception cref="InvalidDataException">
    /// <see cref="EncoderOptions.CheckpointFile"/> is damaged or belongs to another training; the message says what to do.
    /// </exception>
    /// <exception cref="IOException"><see cref="EncoderOptions.CheckpointFile"/> cannot be written.</exception>
    /// <exception cref="OperationCanceledException">
    /// Execution was cancelled on the <see cref="MLContext"/>, or <see cref="Options.StopToken"/> before the first step.
    /// </exception>
    public MoeTextClassificationTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        using var channel = _host.Start("Training");
        var classes = LabelClasses.Of(input.Schema, _options.LabelColumnName);
        var start = _options.InitialModel?.Use(
            _host, model => StartingPoint.Of(model, classes.Values, classes.Count, _options.Tokenizer));
        LogAndCheck(channel, start);
        var tokenizer = _options.Tokenizer ?? start?.Tokenizer;
        var model = new ClassifierFit<EncodedText>(nameof(MoeTextClassificationTrainer), _host, channel, _options).Run(
            input,
            classes,
            engine =>
            {
                var trainer = new TextClassifierTrainer(_options, classes.Count, engine, tokenizer, start?.Values);
                return (new TextRows(_columns.Sentence1, _columns.Sentence2, trainer.Input), trainer.Train);
            });
        return new MoeTextClassificationTransformer(_columns, model, classes.Values, tokenizer);
    }

    /// <summary>The columns that a table of this shape will have after scoring.</summary>
    /// <param name="inputSchema">Shape of the table.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of the wrong type; the message names it.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        InputColumns.CheckText(inputSchema, _columns.Sentence1);
        if (_columns.Sentence2 is not null)
            InputColumns.CheckText(inputSchema, _columns.Sentence2);
        return BoundClassifier.Promise(inputSchema, _columns, _options);
    }

    private void LogAndCheck(IChannel channel, StartingPoint? start)
    {
        if (start is null)
        {
            if (_options.FreezeRouter)
                channel.Warning(
                    MessageSensitivity.None,
                    $"{nameof(Options.FreezeRouter)} without {nameof(Options.InitialModel)}: the routers stay as chance has made them.");
            return;
        }

        channel.Info(MessageSensitivity.None, start.Description);
        if (start.Experts == 0 && _columns.Uncertainty is not null)
            throw new InvalidOperationException(
                $"{nameof(Options.RouterEntropyColumnName)} and {nameof(Options.UncertainColumnName)} need MoE layers, and "
                + $"{nameof(Options.InitialModel)} has none.");
    }
}
