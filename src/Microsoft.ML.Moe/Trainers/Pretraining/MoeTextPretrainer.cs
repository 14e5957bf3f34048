using System.Globalization;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Trainers;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe;

/// <summary>
/// The <see cref="IEstimator{TTransformer}"/> for pretraining a transformer encoder whose feed-forward blocks are mixtures of experts,
/// on text without labels.
/// </summary>
/// <remarks>
/// <format type="text/markdown"><![CDATA[
/// To create this estimator, use
/// [PretrainMoeEncoder](xref:Microsoft.ML.MoeTextCatalog.PretrainMoeEncoder(Microsoft.ML.TransformsCatalog.TextTransforms,System.String,System.String,System.Int32,System.Nullable{System.Int32}))
/// or
/// [PretrainMoeEncoder(Options)](xref:Microsoft.ML.MoeTextCatalog.PretrainMoeEncoder(Microsoft.ML.TransformsCatalog.TextTransforms,Microsoft.ML.Moe.MoeTextPretrainer.Options)).
///
/// ### Input and output columns
/// The input column must be of <xref:Microsoft.ML.Data.TextDataViewType>. Rows with missing or blank text teach nothing and are left
/// out. The output column is a vector of <xref:System.Single> of as many numbers as the encoder is wide.
///
/// ### Estimator characteristics
/// | Characteristic | Value |
/// | -- | -- |
/// | Does this estimator need to look at the data to train its parameters? | Yes |
/// | Input column data type | <xref:Microsoft.ML.Data.TextDataViewType> |
/// | Output column data type | Vector of <xref:System.Single> |
/// | Required NuGet in addition to Microsoft.ML | MlNetMoe |
/// | Exportable to ONNX | No |
///
/// ### Training algorithm details
/// Some of the words are hidden, and the model learns to predict them from those around them (Devlin et al. 2019, "BERT", section 3.1).
/// Texts of any length are read in full, in pieces. The same seed gives the same model, whatever the number of threads.
/// ]]></format>
/// </remarks>
/// <example>
/// <code language="csharp"><![CDATA[
/// var texts = mlContext.Data.LoadTextLines("Text", "sentences.txt");
/// var encoder = mlContext.Transforms.Text.PretrainMoeEncoder("Features", "Text").Fit(texts);
/// var trainer = mlContext.MulticlassClassification.Trainers.MoeTextClassifier(new MoeTextClassificationTrainer.Options
/// {
///     Sentence1ColumnName = "Text",
///     InitialModel = PretrainedModel.From(encoder),
/// });
/// ]]></code>
/// </example>
public sealed partial class MoeTextPretrainer : MoeTrainer<MoeTextPretrainer.Options, MoeTextEncoderTransformer>
{
    internal MoeTextPretrainer(IHostEnvironment environment, Options options)
        : base(environment, options)
    {
    }

    private protected override MoeTextEncoderTransformer Fit(IDataView input, IHostEnvironment environment, FitRun run)
    {
        var column = InputColumns.Texts(Settings.ColumnsOf(input), Settings.InputColumnName)[0];
        var model = run.Run<EncodedText>(RowsOf, engine =>
        {
            var trainer = new TextEncoderPretrainer(Settings.ToConfig(), engine, Settings.Tokenizer);
            var table = UnlabelledTable.Read(run.CheckGoesOn, input, column, trainer.Input, engine);
            Log(run.Channel, table);
            run.Channel.Info(MessageSensitivity.None, $"Pretraining on {table.Pieces.Count} texts, engine: {engine.Description}.");
            return observer => Train(trainer, table, observer);
        });
        return new MoeTextEncoderTransformer(
            new TextEncoderColumns(Settings.InputColumnName, Settings.OutputColumnName), model, Settings.Tokenizer);
    }

    private protected override SchemaShape Promise(NamedShape inputSchema)
    {
        InputColumns.CheckText(inputSchema, Settings.InputColumnName);
        var added = ColumnShape.Vector(Settings.OutputColumnName, NumberDataViewType.Single);
        return new SchemaShape(inputSchema.Schema.Where(c => c.Name != added.Name).Append(added));
    }

    private TextRows RowsOf(Model<EncodedText> model) => new(Settings.InputColumnName, second: null, (TextInput)model.Input);

    private Model<EncodedText> Train(TextEncoderPretrainer trainer, UnlabelledTable table, ITrainingObserver observer)
    {
        try
        {
            return trainer.Train(table.Pieces, observer, Settings.StopToken);
        }
        catch (ArgumentException e)
        {
            throw new InvalidOperationException(
                $"Column '{Settings.InputColumnName}' has {table.Rows} rows, {table.BlankTexts} of them blank, and too few different words "
                + "to learn from; is the separator right, and the column?",
                e);
        }
    }

    private void Log(IChannel channel, UnlabelledTable table)
    {
        if (table.BlankTexts > 0)
            channel.Warning(
                MessageSensitivity.Schema,
                $"{table.BlankTexts} rows are left out: their text in column '{Settings.InputColumnName}' is missing or blank.");
        var cutOff = table.Pieces.Sum(piece => (long)piece.TokensCutOff);
        if (cutOff > 0)
            channel.Info(MessageSensitivity.None, string.Create(
                CultureInfo.InvariantCulture,
                $"{cutOff} tokens are cut off from pieces that are longer than {nameof(Settings.MaximumTokens)} = {Settings.MaximumTokens}."));
    }
}
