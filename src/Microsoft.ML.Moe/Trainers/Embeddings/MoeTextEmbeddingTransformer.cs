using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Models.Embeddings;
using Microsoft.ML.Moe.Persistence;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Trainers;

namespace Microsoft.ML.Moe;

/// <summary>
/// Turns texts into vectors with a published encoder: what <see cref="MoeTextEmbeddingEstimator"/> gives. Saved and loaded with
/// <c>mlContext.Model</c>, without any registration: the zip carries the encoder's weights and tokenizer.
/// </summary>
/// <inheritdoc cref="MoeTransformer" path="/remarks"/>
public sealed class MoeTextEmbeddingTransformer : MoeTransformer, ISavedTransformer<MoeTextEmbeddingTransformer>
{
    private readonly TextEncoderColumns _columns;
    private readonly TextEmbedder _embedder;
    private readonly ElementType _storedWeights;

    internal MoeTextEmbeddingTransformer(TextEncoderColumns columns, FittedModel model, TextEmbedder embedder, ElementType storedWeights)
        : base(model, new VectorOutput(columns.Output, model.Outputs)) =>
        (_columns, _embedder, _storedWeights) = (columns, embedder, storedWeights);

    /// <summary>Numbers in a text's vector.</summary>
    public int Width => Model.Outputs;

    /// <summary>Longest text in tokens, special ones counted.</summary>
    public int MaximumTokens => _embedder.MaximumTokens;

    /// <summary>What the encoder is called: the published model's name, or its folder's path.</summary>
    public string EncoderName => Model.Config.BaseModel?.Name ?? "";

    static ModelRegistration ISavedTransformer<MoeTextEmbeddingTransformer>.Kind { get; } = new(
        "MOETXEMB",
        ModelRegistration.TextEmbeddingLoader,
        (folder, transformer) => ((MoeTextEmbeddingTransformer)transformer).Write(folder));

    internal override ModelRegistration Registration => KindOf<MoeTextEmbeddingTransformer>();

    /// <summary>
    /// Writes the encoder as a folder that Hugging Face's transformers and sentence-transformers load: <c>config.json</c>,
    /// <c>model.safetensors</c>, the tokenizer's files, <c>modules.json</c> and what it names.
    /// </summary>
    /// <param name="folder">Path of the folder; made if it is not there. Files of the same names are replaced.</param>
    /// <param name="weights">What the weights are in the file; bfloat16 halves it and rounds.</param>
    /// <exception cref="InvalidOperationException">
    /// Those libraries have no form for what the embedding is: layers, router weights, standardised.
    /// </exception>
    /// <exception cref="IOException">A file cannot be written.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public void SaveHuggingFace(string folder, ElementType weights = ElementType.Float32)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        OptionCheck.Saved(weights, nameof(weights));
        using var hold = Hold();
        _embedder.SaveHuggingFace(folder, weights);
    }

    /// <summary>The encoder with its tokenizer and prompt.</summary>
    internal TextEmbedder Embedder => _embedder;

    /// <summary>Embeds texts.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="outputs">Receives <see cref="Width"/> numbers for each.</param>
    /// <param name="stop">Ends it, with an exception.</param>
    /// <returns>Tokens read.</returns>
    internal long Embed(IReadOnlyList<string> texts, Span<float> outputs, CancellationToken stop)
    {
        using var hold = Hold();
        return _embedder.Embed(texts, outputs, stop);
    }

    static MoeTextEmbeddingTransformer ISavedTransformer<MoeTextEmbeddingTransformer>.Read(ModelFolderReader folder) =>
        EmbedderZip.Read(folder, (columns, model, embedder, weights) => new MoeTextEmbeddingTransformer(columns, model, embedder, weights));

    private void Write(ModelFolderWriter folder) => EmbedderZip.Write(folder, _columns, Model, _embedder, _storedWeights);
}
