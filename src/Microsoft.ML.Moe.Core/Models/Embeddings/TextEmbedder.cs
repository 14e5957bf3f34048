using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Models.Embeddings;

/// <summary>
/// Embeds texts with a published encoder, as sentence-transformers does it. Safe to use from several threads. The engine belongs to the
/// caller and must outlive it.
/// </summary>
/// <param name="model">The encoder under an <see cref="EmbeddingHead"/>.</param>
/// <param name="text">What is done to a text before.</param>
/// <param name="files">Files that belong to the encoder.</param>
internal sealed class TextEmbedder(Model<EncodedText> model, EmbedderText text, EncoderFiles files)
{
    /// <summary>Texts that are held as tokens at a time.</summary>
    private const int TextsAtOnce = 4096;

    /// <summary>The encoder under its head.</summary>
    public Model<EncodedText> Model => model;

    /// <summary>What is done to a text before the tokenizer reads it.</summary>
    public EmbedderText Text => text;

    /// <summary>Files that belong to the encoder: its tokenizer's and its configuration.</summary>
    public EncoderFiles Files => files;

    /// <summary>What the weights have become.</summary>
    public WeightPrecision Weights { get; init; }

    /// <summary>Numbers of an embedding.</summary>
    public int Width => model.Outputs;

    /// <summary>Longest text in tokens, special ones counted.</summary>
    public int MaximumTokens => ((PublishedTextInput)model.Input).MaximumTokens;

    private EmbeddingHeadConfig Head => (EmbeddingHeadConfig)model.Config.Head;

    /// <summary>Loads an encoder out of a folder.</summary>
    /// <param name="engine">Where it shall live.</param>
    /// <param name="pathOrName">Path of the folder, or name of a model in the hub's cache.</param>
    /// <param name="settings">What embeddings are to be; null for as the folder says.</param>
    /// <param name="name">What the model is called; null for what it was asked for by.</param>
    /// <exception cref="FileNotFoundException">A file is missing; the message says what to fetch.</exception>
    /// <exception cref="InvalidDataException">A file is damaged or says something that is not supported.</exception>
    /// <exception cref="ArgumentException">A setting does not fit the encoder, or the engine.</exception>
    /// <exception cref="InvalidOperationException">The weights do not fit in memory.</exception>
    public static TextEmbedder Load(Engine engine, string pathOrName, EmbeddingSettings? settings = null, string? name = null)
    {
        settings ??= new EmbeddingSettings();
        if (settings is { RouterLogits: true, RouterWeights: false })
            throw new ArgumentException($"{nameof(settings.RouterLogits)} has no effect without {nameof(settings.RouterWeights)}.", nameof(settings));
        var path = PublishedFolder.Find(pathOrName);
        var sentence = SentenceFolder.Open(path);
        var folder = PublishedFolder.Open(sentence.EncoderPath);
        var files = EncoderFiles.Read(sentence.EncoderPath);
        var text = new EmbedderText(
            settings.Prompt ?? sentence.PromptOf(settings.PromptName),
            sentence.Lowercase,
            sentence.IncludesPrompt,
            sentence.Prompts,
            sentence.DefaultPromptName,
            sentence.Similarity);
        var modules = ModulesOf(sentence, settings);
        var input = settings.MaximumTokens is { } maximum
            ? new PublishedTextInput(PublishedTextInputConfig.Of(folder.Encoder, maximum), files.Tokenizer)
            : folder.CreateInput(files.Tokenizer, sentence.MaximumTokens ?? files.Tokenizer.MaximumLength);
        var head = new EmbeddingHeadConfig
        {
            Pooling = settings.Pooling ?? (!sentence.TellsPooling && folder.Encoder is CausalConfig ? [TextPooling.LastToken] : sentence.Pooling),
            ExcludedTokens = ExcludedTokens(text, files.Tokenizer),
            Layers = settings.Layers,
            HasRouterWeights = settings.RouterWeights,
            TakesRouterLogits = settings.RouterLogits,
            Modules = [.. modules.Select(m => m.Module)],
        };
        // adapters are worked into weights in single precision
        var isStored = folder.Encoder is CausalConfig && settings.AdapterFolder is null;
        var precision = settings.Weights ?? (isStored ? WeightPrecision.AsStored : WeightPrecision.Float32);
        precision.CheckFor(engine);
        using (var weights = TensorFiles.Open(folder.Path))
            MemoryNeeds.CheckWeights(weights, precision, engine, isMapped: true, folder.Encoder.TokenTables);
        var model = folder.Load(
            engine, input, head, change: ChangeOf(settings), baseModel: BaseModel.Of(name ?? pathOrName, path), precision: precision);
        if (settings.AdapterFolder is { } adapters)
            model.Absorb(adapters);
        foreach (var (number, (_, own)) in modules.Index())
            if (own is not null)
                DenseWeights.Fill(engine, own, model.Parameters, EmbeddingHeadConfig.NameOf(number));
        return new TextEmbedder(model, text, files) { Weights = precision };
    }

    /// <summary>This embedder with another text before each text; weights are shared.</summary>
    /// <param name="prompt">The text, as it is.</param>
    public TextEmbedder WithPrompt(string prompt)
    {
        var other = text with { Prompt = prompt };
        return new TextEmbedder(With(Head with { ExcludedTokens = ExcludedTokens(other, files.Tokenizer) }), other, files) { Weights = Weights };
    }

    /// <summary>This embedder for queries, as sentence-transformers' encode_query.</summary>
    public TextEmbedder ForQueries() => WithPrompt(text.Prompts[SentenceFolder.QueryPrompt]);

    /// <summary>This embedder for documents, as sentence-transformers' encode_document.</summary>
    public TextEmbedder ForDocuments() => WithPrompt(text.Prompts[SentenceFolder.DocumentPrompt]);

    /// <summary>A text as the model reads it.</summary>
    public EncodedText Encode(string value) => ((TextInput)model.Input).Encode(text.Of(value));

    /// <summary>Embeds texts; long and short ones are scored with those of about their length.</summary>
    /// <param name="texts">The texts; may be empty ones.</param>
    /// <param name="outputs">Receives <see cref="Width"/> numbers for each, in the order of the texts.</param>
    /// <param name="stop">Ends it, with an exception.</param>
    /// <returns>Tokens read, special ones counted.</returns>
    /// <exception cref="ArgumentException"><paramref name="outputs"/> is too short.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public long Embed(IReadOnlyList<string> texts, Span<float> outputs, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        if (outputs.Length < (long)texts.Count * Width)
            throw new ArgumentException($"{texts.Count} texts × {Width} numbers need more room.", nameof(outputs));
        var tokens = 0L;
        for (var start = 0; start < texts.Count; start += TextsAtOnce)
        {
            var count = Math.Min(TextsAtOnce, texts.Count - start);
            tokens += EmbedPart(texts, start, count, outputs.Slice(start * Width, count * Width), stop);
        }

        return tokens;
    }

    /// <summary>Learns mean and deviation of each component, for an embedder that standardises.</summary>
    /// <param name="batches">Texts; at least two in all.</param>
    /// <exception cref="InvalidOperationException">There are fewer.</exception>
    public void FitStandardization(IEnumerable<IReadOnlyList<string>> batches)
    {
        var number = Head.Modules.Index().First(m => m.Item is StandardizeModule).Index;
        var before = new TextEmbedder(With(Head with { Modules = [.. Head.Modules.Take(number)] }), text, files);
        var moments = new Moments(before.Width);
        foreach (var texts in batches)
        {
            var values = new float[texts.Count * before.Width];
            before.Embed(texts, values);
            moments.Add(values);
        }

        var (scale, shift) = moments.Standardization();
        var name = EmbeddingHeadConfig.NameOf(number);
        model.Parameters.All.First(p => p.Parameter.Name == name + ".scale").Parameter.Value.CopyFrom(scale);
        model.Parameters.All.First(p => p.Parameter.Name == name + ".shift").Parameter.Value.CopyFrom(shift);
    }

    /// <summary>Writes the embedder as a folder that transformers and sentence-transformers load; see <see cref="SentenceFolderWriter"/>.</summary>
    public void SaveHuggingFace(string folder, ElementType type = ElementType.Float32) => SentenceFolderWriter.Write(this, folder, type);

    private static Func<PublishedConfig, PublishedConfig>? ChangeOf(EmbeddingSettings settings)
    {
        if (settings.Router is not { } router)
            return null;
        return config =>
        {
            config.CheckRoutes();
            return (PublishedConfig)(config with { Router = router, DenseWidth = config.FeedForwardWidth }).Check();
        };
    }

    private static List<(EmbeddingModule Module, string? Folder)> ModulesOf(SentenceFolder sentence, EmbeddingSettings settings)
    {
        if (settings is { IsAnother: false, Standardize: false, Normalize: null })
            return [.. sentence.Modules];
        var modules = new List<(EmbeddingModule, string?)>();
        if (!settings.IsAnother)
            modules.AddRange(sentence.Modules.Where(m => m.Module is DenseModule));
        if (settings.Standardize)
            modules.Add((new StandardizeModule(), null));
        if (settings.Normalize ?? sentence.Modules.Any(m => m.Module is NormalizeModule))
            modules.Add((new NormalizeModule(), null));
        return modules;
    }

    private static int ExcludedTokens(EmbedderText text, PublishedTokenizer tokenizer) =>
        text.IncludesPrompt ? 0 : tokenizer.TokensBefore(text.Of(""));

    private Model<EncodedText> With(EmbeddingHeadConfig head) =>
        new(model.Engine, model.Config with { Head = head }, model.Input, new ParameterStore(model.Parameters));

    private long EmbedPart(IReadOnlyList<string> texts, int start, int count, Span<float> outputs, CancellationToken stop)
    {
        stop.ThrowIfCancellationRequested();
        var rows = new EncodedText[count];
        model.Engine.ForEach(count, row => rows[row] = Encode(texts[start + row]));
        int[] byLength = [.. Enumerable.Range(0, count).OrderByDescending(row => rows[row].Length)];
        var done = 0;
        var buffer = Array.Empty<float>();
        EncodedText[] ordered = [.. byLength.Select(row => rows[row])];
        foreach (var pass in ScoringPasses.Of(ordered, row => row.Length, model.Config.Encoder))
        {
            stop.ThrowIfCancellationRequested();
            if (buffer.Length < pass.Count * Width)
                buffer = new float[pass.Count * Width];
            model.Score(pass, buffer);
            for (var i = 0; i < pass.Count; i++)
                buffer.AsSpan(i * Width, Width).CopyTo(outputs[(byLength[done + i] * Width)..]);
            done += pass.Count;
        }

        return rows.Sum(row => (long)row.Length);
    }
}
