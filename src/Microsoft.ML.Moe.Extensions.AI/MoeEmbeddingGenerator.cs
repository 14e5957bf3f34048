using Microsoft.Extensions.AI;

namespace Microsoft.ML.Moe;

/// <summary>
/// A published text encoder as <see cref="IEmbeddingGenerator{TInput, TEmbedding}"/>: what sentence-transformers gives for the same files,
/// computed in this process. Safe to use from several threads.
/// </summary>
/// <example>
/// <code language="csharp"><![CDATA[
/// using var generator = MoeEmbeddingGenerator.Create(PublishedEncoder.MiniLM);
/// var embeddings = await generator.GenerateAsync(["The river bends twice.", "It rained all night."]);
/// ]]></code>
/// </example>
public sealed class MoeEmbeddingGenerator : IEmbeddingGenerator<string, Embedding<float>>
{
    private const string Provider = "MlNetMoe";
    private readonly MoeTextEmbeddingTransformer _embedder;
    private readonly EmbeddingGeneratorMetadata _metadata;

    private MoeEmbeddingGenerator(MoeTextEmbeddingTransformer embedder)
    {
        _embedder = embedder;
        _metadata = new EmbeddingGeneratorMetadata(Provider, defaultModelId: embedder.EncoderName, defaultModelDimensions: embedder.Width);
    }

    /// <summary>Loads an encoder.</summary>
    /// <param name="encoder">The encoder: of a package, or a folder.</param>
    /// <param name="options">Prompt, pooling and more; null for what the encoder's own files say.</param>
    /// <returns>The generator. Dispose it to release the encoder's memory.</returns>
    /// <exception cref="ArgumentException">
    /// An option does not fit the encoder, or is <see cref="EmbedTextOptions.Standardize"/>, which needs rows to learn from: fit
    /// <c>EmbedText</c> and give the transformer instead.
    /// </exception>
    /// <exception cref="IOException">The encoder, or one of its files, is not there; the message says what to do.</exception>
    /// <exception cref="InvalidDataException">The encoder's files are damaged, or say something that is not supported.</exception>
    public static MoeEmbeddingGenerator Create(PublishedEncoder encoder, EmbedTextOptions? options = null)
    {
        if (options is { Standardize: true })
        {
            throw new ArgumentException(
                $"{nameof(EmbedTextOptions.Standardize)} needs rows to learn from: fit EmbedText on a table and give the transformer instead.",
                nameof(options));
        }

        var ml = new MLContext();
        var nothing = ml.Data.LoadFromEnumerable(Array.Empty<Row>());
        return new MoeEmbeddingGenerator(ml.Transforms.Text.EmbedText(nameof(Row.Text), null, encoder, options).Fit(nothing));
    }

    /// <summary>Takes a fitted or loaded transformer, which the generator disposes with itself.</summary>
    /// <param name="embedder">The transformer.</param>
    public static MoeEmbeddingGenerator Create(MoeTextEmbeddingTransformer embedder)
    {
        ArgumentNullException.ThrowIfNull(embedder);
        return new MoeEmbeddingGenerator(embedder);
    }

    /// <summary>Embeds texts, on a thread of the pool.</summary>
    /// <param name="values">The texts; empty ones have an embedding too.</param>
    /// <param name="options">
    /// Null, or with <see cref="EmbeddingGenerationOptions.ModelId"/> and <see cref="EmbeddingGenerationOptions.Dimensions"/> absent or those
    /// of this encoder: it has no others.
    /// </param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>An embedding for each text, in their order, and the number of tokens read.</returns>
    /// <exception cref="ArgumentException">The options ask for another model, or another number of dimensions.</exception>
    /// <exception cref="ObjectDisposedException">The generator was disposed.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(
        IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        if (options?.Dimensions is { } dimensions && dimensions != _embedder.Width)
            throw new ArgumentException($"{_embedder.EncoderName} gives {_embedder.Width} numbers, not {dimensions}.", nameof(options));
        if (options?.ModelId is { } model && model != _embedder.EncoderName)
            throw new ArgumentException($"This generator's model is {_embedder.EncoderName}, not {model}.", nameof(options));
        string[] texts = [.. values];
        if (texts.Contains(null))
            throw new ArgumentException("One of the texts is null.", nameof(values));
        return Task.Run(() => Generate(texts, cancellationToken), cancellationToken);
    }

    /// <summary>What can be asked for: this generator, its <see cref="EmbeddingGeneratorMetadata"/>, and its transformer.</summary>
    /// <param name="serviceType">The type that is wanted.</param>
    /// <param name="serviceKey">Must be null.</param>
    /// <returns>It, or null where there is no such service.</returns>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null)
            return null;
        return serviceType == typeof(EmbeddingGeneratorMetadata) ? _metadata
            : serviceType.IsInstanceOfType(this) ? this
            : serviceType.IsInstanceOfType(_embedder) ? _embedder
            : null;
    }

    /// <summary>Releases the encoder.</summary>
    public void Dispose() => _embedder.Dispose();

    private GeneratedEmbeddings<Embedding<float>> Generate(string[] texts, CancellationToken stop)
    {
        var width = _embedder.Width;
        var now = DateTimeOffset.UtcNow;
        var embeddings = new GeneratedEmbeddings<Embedding<float>>(texts.Length);
        var tokens = 0L;
        // in parts, so that each embedding's memory is its own part's
        foreach (var part in texts.Chunk(1024))
        {
            var values = new float[part.Length * width];
            tokens += _embedder.Embed(part, values, stop);
            for (var i = 0; i < part.Length; i++)
                embeddings.Add(new Embedding<float>(values.AsMemory(i * width, width)) { CreatedAt = now, ModelId = _embedder.EncoderName });
        }

        embeddings.Usage = new UsageDetails { InputTokenCount = tokens, TotalTokenCount = tokens };
        return embeddings;
    }

    private sealed class Row
    {
        public string Text { get; set; } = "";
    }
}
