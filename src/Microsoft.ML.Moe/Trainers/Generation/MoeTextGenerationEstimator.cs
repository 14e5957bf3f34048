using System.Globalization;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Trainers;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe;

/// <summary>The <see cref="IEstimator{TTransformer}"/> that answers texts with a published language model.</summary>
/// <remarks>
/// <format type="text/markdown"><![CDATA[
/// To create this estimator, use
/// [GenerateText](xref:Microsoft.ML.MoeTextCatalog.GenerateText(Microsoft.ML.TransformsCatalog.TextTransforms,System.String,System.String,Microsoft.ML.Moe.PublishedModel,Microsoft.ML.Moe.GenerateTextOptions)).
///
/// ### Input and output columns
/// The input column, the prompt, must be of <xref:Microsoft.ML.Data.TextDataViewType>; missing text counts as empty. These columns are added:
///
/// | Column | Type | What |
/// | -- | -- | -- |
/// | the output column | Text | The answer: what follows the prompt (causal models), or what the decoder writes (encoder–decoders) |
/// | `AnswersColumnName` | Vector of Text, of a size of its own for each row | All answers, the best first; only when asked for |
/// | `LogProbabilityColumnName` | <xref:System.Single> | Sum of the natural logarithms of its tokens' probabilities; only when asked for |
/// | `TokenCountColumnName` | <xref:System.Int32> | Number of its tokens; only when asked for |
/// | `RouterEntropyColumnName` | <xref:System.Single> | Mean router entropy, in nats; only when asked for |
///
/// ### Estimator characteristics
/// | Characteristic | Value |
/// | -- | -- |
/// | Does this estimator need to look at the data to train its parameters? | No |
/// | Input column data type | <xref:Microsoft.ML.Data.TextDataViewType> |
/// | Output column data type | <xref:Microsoft.ML.Data.TextDataViewType> |
/// | Required NuGet in addition to Microsoft.ML | MlNetMoe |
/// | Exportable to ONNX | No |
/// ]]></format>
/// </remarks>
/// <example>
/// <code language="csharp"><![CDATA[
/// var pipeline = mlContext.Transforms.Text.GenerateText("Summary", "Article", PublishedModel.FromFolder("models/my-switch"));
/// ]]></code>
/// </example>
public sealed class MoeTextGenerationEstimator : IEstimator<MoeTextGenerationTransformer>
{
    private readonly TableName _table = TableName.InputOf("inputColumnName");
    private readonly IHost _host;
    private readonly GenerationColumns _columns;
    private readonly PublishedModel _model;
    private readonly GenerateTextOptions _options;

    internal MoeTextGenerationEstimator(
        IHostEnvironment environment, string input, string output, PublishedModel model, GenerateTextOptions? options)
    {
        ArgumentNullException.ThrowIfNull(model);
        _options = options ?? new GenerateTextOptions();
        _columns = new GenerationColumns(
            input,
            output,
            _options.LogProbabilityColumnName,
            _options.TokenCountColumnName,
            _options.RouterEntropyColumnName,
            _options.AnswersColumnName);
        _columns.Check();
        if (_options.KeepsWeightsInFolder && model.MergesAdapters)
        {
            throw new ArgumentException(
                $"{nameof(_options.KeepsWeightsInFolder)}: weights with adapters worked into them are in no folder. Leave the adapters "
                + $"beside the weights, {nameof(PublishedModel.WithAdapters)}(path), or have the zip hold the weights.",
                nameof(options));
        }

        _host = environment.Register(nameof(MoeTextGenerationEstimator));
        _model = model;
    }

    /// <summary>Loads the model. The table is not read.</summary>
    /// <param name="input">The table.</param>
    /// <returns>The transformer. Dispose it to release the model's memory early.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of the wrong type; the message names it.</exception>
    /// <exception cref="ArgumentException">An option does not fit the model; the message names it.</exception>
    /// <exception cref="IOException">The model, or one of its files, is not there; the message says what to fetch.</exception>
    /// <exception cref="InvalidDataException">The model's files are damaged, or say something that is not supported.</exception>
    /// <exception cref="InvalidOperationException">
    /// <see cref="GenerateTextOptions.Device"/> cannot be used, or the weights do not fit in memory.
    /// </exception>
    public MoeTextGenerationTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        InputColumns.Texts(new NamedSchema(input.Schema, _table), _columns.Input!);
        using var channel = _host.Start("Generation");
        var engine = Engines.Create(_host, _options.Device, threads: _options.Threads);
        try
        {
            var (generator, model) = TextGenerator.Load(engine, _model, _options.Weights);
            if (_options.Router is { } router)
                model = model.WithRouting(router);
            if (_columns.RouterEntropy is not null)
                model.Config.Encoder.CheckRoutes();
            channel.Info(MessageSensitivity.None, string.Create(
                CultureInfo.InvariantCulture,
                $"{_model}: {model.ParameterCount:N0} parameters, engine: {engine.Description}."));
            var writer = new RowWriter(generator, generator.Complete(_options.Generation), _options.BatchSize);
            return MoeTextGenerationTransformer.Create(
                new SharedModel<Model<EncodedText>>(model, engine),
                generator,
                writer,
                new GeneratorSettings(
                    _columns,
                    _options.MaximumPromptTokens,
                    _model.MergesAdapters ? WeightPrecision.AsStored : _options.Weights,
                    _options.KeepsWeightsInFolder ? _model : null));
        }
        catch
        {
            engine.Dispose();
            throw;
        }
    }

    /// <summary>The columns that a table of this shape will have.</summary>
    /// <param name="inputSchema">Shape of the table.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of the wrong type; the message names it.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        InputColumns.CheckText(new NamedShape(inputSchema, _table), _columns.Input!);
        return _columns.AddTo(inputSchema);
    }
}
