using System.Globalization;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Embeddings;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Trainers;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe;

/// <summary>The <see cref="IEstimator{TTransformer}"/> that makes vectors of texts with a published encoder.</summary>
/// <remarks>
/// <format type="text/markdown"><![CDATA[
/// To create this estimator, use
/// [EmbedText](xref:Microsoft.ML.MoeTextCatalog.EmbedText(Microsoft.ML.TransformsCatalog.TextTransforms,System.String,System.String,Microsoft.ML.Moe.PublishedEncoder,Microsoft.ML.Moe.EmbedTextOptions)).
///
/// ### Input and output columns
/// The input column must be of <xref:Microsoft.ML.Data.TextDataViewType>; missing text counts as empty. The output column is a vector of
/// <xref:System.Single> of known size, which trainers of features, K-means and nearest neighbours read.
///
/// ### Estimator characteristics
/// | Characteristic | Value |
/// | -- | -- |
/// | Does this estimator need to look at the data to train its parameters? | Only with `Standardize` |
/// | Input column data type | <xref:Microsoft.ML.Data.TextDataViewType> |
/// | Output column data type | Vector of <xref:System.Single> |
/// | Required NuGet in addition to Microsoft.ML | MlNetMoe, and the encoder's, such as MlNetMoe.MiniLM |
/// | Exportable to ONNX | No |
///
/// ### Details
/// The embeddings are those of sentence-transformers with the same files: pooling, dense layers, normalisation, prompts and the longest text
/// are the encoder's own unless <xref:Microsoft.ML.Moe.EmbedTextOptions> say otherwise. The model zip carries the encoder's weights and
/// tokenizer.
/// ]]></format>
/// </remarks>
/// <example>
/// <code language="csharp"><![CDATA[
/// var pipeline = mlContext.Transforms.Text.EmbedText("Features", "Text", PublishedEncoder.MiniLM)
///     .Append(mlContext.Clustering.Trainers.KMeans("Features", numberOfClusters: 8));
/// ]]></code>
/// </example>
public sealed class MoeTextEmbeddingEstimator : IEstimator<MoeTextEmbeddingTransformer>
{
    private readonly TableName _table = TableName.InputOf("inputColumnName");
    private readonly IHost _host;
    private readonly TextEncoderColumns _columns;
    private readonly PublishedEncoder _encoder;
    private readonly EmbedTextOptions _options;

    internal MoeTextEmbeddingEstimator(
        IHostEnvironment environment, TextEncoderColumns columns, PublishedEncoder encoder, EmbedTextOptions? options)
    {
        ArgumentNullException.ThrowIfNull(encoder);
        new ColumnNames().Write(columns.Output, "outputColumnName").Check();
        new ColumnNames().Read(columns.Input, "inputColumnName").Check();
        _host = environment.Register(nameof(MoeTextEmbeddingEstimator));
        (_columns, _encoder, _options) = (columns, encoder, options ?? new EmbedTextOptions());
    }

    /// <summary>Loads the encoder and, where embeddings are to be standardised, reads the table.</summary>
    /// <param name="input">The table.</param>
    /// <returns>The transformer. Dispose it to release the encoder's memory early.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of the wrong type; the message names it.</exception>
    /// <exception cref="ArgumentException">An option does not fit the encoder; the message names it.</exception>
    /// <exception cref="IOException">The encoder, or one of its files, is not there; the message says what to do.</exception>
    /// <exception cref="InvalidDataException">The encoder's files are damaged, or say something that is not supported.</exception>
    /// <exception cref="InvalidOperationException">
    /// <see cref="EmbedTextOptions.Device"/> cannot be used, the weights do not fit in memory, or there are not two rows to standardise by.
    /// </exception>
    /// <exception cref="OperationCanceledException">Execution was cancelled on the <see cref="MLContext"/>.</exception>
    public MoeTextEmbeddingTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        InputColumns.Texts(new NamedSchema(input.Schema, _table), _columns.Input);
        using var channel = _host.Start("Embedding");
        var engine = Engines.Create(_host, _options.Device, threads: _options.Threads);
        try
        {
            var embedder = TextEmbedder.Load(engine, _encoder.ResolveFolder(), _options.ToSettings(), _encoder.Name);
            var rows = new EmbedderRows(_columns.Input, embedder);
            if (_options.Standardize)
                embedder.FitStandardization(rows.Read(input, () => Environments.ThrowIfCanceled(_host)));
            channel.Info(MessageSensitivity.None, string.Create(
                CultureInfo.InvariantCulture,
                $"{_encoder.Name}: {embedder.Width} numbers, at most {embedder.MaximumTokens} tokens, engine: {engine.Description}."));
            return new MoeTextEmbeddingTransformer(
                _columns,
                new FittedModel<EncodedText>(new SharedModel<Model<EncodedText>>(embedder.Model, engine), rows),
                embedder,
                _options.StoredWeights);
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
        InputColumns.CheckText(new NamedShape(inputSchema, _table), _columns.Input);
        var added = ColumnShape.Vector(_columns.Output, NumberDataViewType.Single);
        return new SchemaShape(inputSchema.Where(c => c.Name != added.Name).Append(added));
    }
}
