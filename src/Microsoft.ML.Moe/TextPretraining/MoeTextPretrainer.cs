using System.Globalization;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.Fitting;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.TextPretraining;
using Microsoft.ML.Moe.Scoring;
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
/// Some of the words are hidden, and the model learns to guess them from those around them (Devlin et al. 2019, "BERT", section 3.1).
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
///     InitialModel = MoeInitialModel.From(encoder),
/// });
/// ]]></code>
/// </example>
public sealed partial class MoeTextPretrainer : IEstimator<MoeTextEncoderTransformer>
{
    private readonly IHost _host;
    private readonly Options _options;

    internal MoeTextPretrainer(IHostEnvironment environment, Options options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options.Copy();
        _options.Validate();
        _options.Seed ??= Environments.SeedOf(environment);
        _host = environment.Register(nameof(MoeTextPretrainer));
    }

    /// <summary>Pretrains an encoder.</summary>
    /// <param name="input">Rows of text; read once.</param>
    /// <returns>The transformer that encodes with it. Dispose it to release the model's memory early.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The column is missing or not text; the message names it.</exception>
    /// <exception cref="InvalidOperationException">
    /// <see cref="Options.Device"/> cannot be used, the texts have fewer than two different words, or the loss became infinite (the message tells epoch and learning rate).
    /// </exception>
    /// <exception cref="InvalidDataException">
    /// <see cref="EncoderOptions.CheckpointFile"/> is damaged or belongs to another training; the message says what to do.
    /// </exception>
    /// <exception cref="IOException"><see cref="EncoderOptions.CheckpointFile"/> cannot be written.</exception>
    /// <exception cref="OperationCanceledException">
    /// Execution was cancelled on the <see cref="MLContext"/>, or <see cref="Options.StopToken"/> before the first step.
    /// </exception>
    public MoeTextEncoderTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        using var channel = _host.Start("Pretraining");
        var column = InputColumns.Texts(input.Schema, _options.InputColumnName)[0];
        var engine = Engines.Create(_host, _options.Device, _options.Precision, _options.Threads);
        try
        {
            var trainer = new TextEncoderPretrainer(_options, engine, _options.Tokenizer);
            var table = UnlabelledTable.Read(_host, input, column, trainer.Input, engine, _options.StopToken);
            Log(channel, table);
            channel.Info(MessageSensitivity.None, $"Pretraining on {table.Pieces.Count} texts, engine: {engine.Description}.");
            var encoder = new FitRun(_host, channel, _options.EpochCompleted, _options.StopToken).Train(
                nameof(MoeTextPretrainer), observer => Train(trainer, table, observer));
            channel.Info(MessageSensitivity.None, $"The model has {encoder.ParameterCount} parameters.");
            PeakMemory.Log(channel, engine);
            return new MoeTextEncoderTransformer(
                new TextEncoderColumns(_options.InputColumnName, _options.OutputColumnName),
                new SharedModel<PretrainedTextEncoder>(encoder, engine),
                _options.Tokenizer);
        }
        catch
        {
            engine.Dispose();
            throw;
        }
    }

    /// <summary>The columns that a table of this shape will have after encoding.</summary>
    /// <param name="inputSchema">Shape of the table.</param>
    /// <exception cref="ArgumentOutOfRangeException">The column is missing or not text; the message names it.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        InputColumns.CheckText(inputSchema, _options.InputColumnName);
        var added = ColumnShape.Vector(_options.OutputColumnName, NumberDataViewType.Single);
        return new SchemaShape(inputSchema.Where(c => c.Name != added.Name).Append(added));
    }

    private PretrainedTextEncoder Train(TextEncoderPretrainer trainer, UnlabelledTable table, ITrainingObserver observer)
    {
        try
        {
            return trainer.Train(table.Pieces, observer, _options.StopToken);
        }
        catch (ArgumentException e)
        {
            throw new InvalidOperationException(
                $"Column '{_options.InputColumnName}' has {table.Rows} rows, {table.BlankTexts} of them blank, and too few different words "
                + "to learn from.",
                e);
        }
    }

    private void Log(IChannel channel, UnlabelledTable table)
    {
        if (table.BlankTexts > 0)
            channel.Warning(
                MessageSensitivity.Schema,
                $"{table.BlankTexts} rows are left out: their text in column '{_options.InputColumnName}' is missing or blank.");
        var cutOff = table.Pieces.Sum(piece => (long)piece.TokensCutOff);
        if (cutOff > 0)
            channel.Info(MessageSensitivity.None, string.Create(
                CultureInfo.InvariantCulture,
                $"{cutOff} tokens are cut off from pieces that are longer than {nameof(_options.MaximumTokens)} = {_options.MaximumTokens}."));
    }
}
