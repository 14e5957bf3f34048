using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Embeddings;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Generation;

/// <summary>
/// What turns texts into prompts of a model, and what it writes into texts: the tokenizer, and what the model's files say of generation. Safe
/// to use from several threads.
/// </summary>
internal sealed class TextGenerator
{
    private readonly int? _startToken;

    /// <summary>Creates it.</summary>
    /// <param name="files">The model's configuration and tokenizer.</param>
    /// <param name="defaults">What the model's files say of generation.</param>
    /// <param name="startToken">What a prompt without tokens begins with; null where there is nothing.</param>
    /// <param name="isEncoderDecoder">Whether prompts are read by an encoder.</param>
    public TextGenerator(EncoderFiles files, GenerationOptions defaults, int? startToken, bool isEncoderDecoder) =>
        (Files, Defaults, _startToken, IsEncoderDecoder) = (files, defaults, startToken, isEncoderDecoder);

    /// <summary>The model's configuration and tokenizer.</summary>
    public EncoderFiles Files { get; }

    /// <summary>What the model's files say of generation.</summary>
    public GenerationOptions Defaults { get; }

    /// <summary>What a prompt without tokens begins with; null where there is nothing.</summary>
    public int? StartToken => _startToken;

    /// <summary>Whether prompts are read by an encoder, so that an answer does not continue them.</summary>
    public bool IsEncoderDecoder { get; }

    /// <summary>Loads a model out of a folder.</summary>
    /// <param name="engine">Where it shall live.</param>
    /// <param name="path">Path of the folder.</param>
    /// <param name="precision">What its weights are in memory.</param>
    /// <param name="name">What the model is called.</param>
    /// <exception cref="FileNotFoundException">A file is missing; the message says what to fetch.</exception>
    /// <exception cref="InvalidDataException">A file is damaged or says something that is not supported.</exception>
    /// <exception cref="InvalidOperationException">The weights do not fit in memory.</exception>
    /// <exception cref="ArgumentException">The engine has no weights of that precision.</exception>
    public static (TextGenerator Generator, Model<EncodedText> Model) Load(Engine engine, string path, WeightPrecision precision, string name)
    {
        var folder = PublishedFolder.Open(path);
        var head = folder.Encoder.WritingHead
            ?? throw new InvalidDataException($"{path} holds {folder.Encoder.Architecture}, an encoder that writes no text: use EmbedText.");
        var files = EncoderFiles.Read(path);
        precision.CheckFor(engine);
        using (var weights = TensorFiles.Open(path))
            MemoryNeeds.CheckWeights(weights, precision, engine, isMapped: true, folder.Encoder.TokenTables);
        var input = folder.CreateInput(files.Tokenizer);
        var model = folder.Load(engine, input, head, precision: precision, baseModel: BaseModel.Of(name, path));
        return (Of(files, folder.Settings, GenerationOptions.Read(path), folder.Encoder.IsEncoderDecoder), model);
    }

    /// <summary>Loads a model with its adapters, where it has some.</summary>
    /// <param name="engine">Where it shall live.</param>
    /// <param name="source">The model.</param>
    /// <param name="precision">What its weights are in memory.</param>
    /// <exception cref="IOException">The model, its adapters, or a file of either is not there; the message says what to do.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, says something that is not supported, or does not fit the model.</exception>
    /// <exception cref="InvalidOperationException">The weights do not fit in memory.</exception>
    public static (TextGenerator Generator, Model<EncodedText> Model) Load(Engine engine, PublishedModel source, WeightPrecision precision)
    {
        var (generator, model) = Load(engine, source.ResolveFolder(), precision, source.Name);
        if (source.AdapterFolder is not { } adapters)
            return (generator, model);
        if (!source.MergesAdapters)
            return (generator, model.WithAdapters(adapters));
        if (precision != WeightPrecision.Float32)
            return (generator, model.WithAdapters(adapters).Merged());
        model.Absorb(adapters);
        return (generator, model);
    }

    /// <summary>What a model's own files tell, without a file about generation.</summary>
    /// <param name="files">The model's configuration and tokenizer.</param>
    /// <param name="settings">The configuration.</param>
    /// <param name="isEncoderDecoder">Whether prompts are read by an encoder.</param>
    public static TextGenerator Of(EncoderFiles files, PublishedSettings settings, bool isEncoderDecoder) =>
        Of(files, settings, GenerationConfigFile.Read(generation: null, files.Config), isEncoderDecoder);

    /// <summary>A text as a prompt.</summary>
    /// <param name="text">The text.</param>
    /// <param name="maximumTokens">Longest prompt, special tokens counted; null for any.</param>
    /// <exception cref="ArgumentException">The prompt has no tokens, and the model no start token.</exception>
    public EncodedText Encode(string text, int? maximumTokens = null)
    {
        ReadOnlySpan<int> ids = [.. Files.Tokenizer.Encode(text)];
        var cut = 0;
        if (maximumTokens is { } most && ids.Length + Files.Tokenizer.SpecialTokens(isPair: false) > most)
        {
            var room = Math.Max(0, most - Files.Tokenizer.SpecialTokens(isPair: false));
            cut = ids.Length - room;
            ids = IsEncoderDecoder ? ids[..room] : ids[cut..];
        }

        var prompt = Files.Tokenizer.WithSpecialTokens(ids, [], isPair: false);
        if (prompt.Ids.Length == 0)
        {
            prompt = new TokenIds([_startToken
                ?? throw new ArgumentException("The prompt is empty, and the model has no start token to begin with.", nameof(text))]);
        }

        return new EncodedText(prompt, cut, isEmpty: ids.IsEmpty);
    }

    /// <summary>A prompt with the answer that is to be written to it; see <see cref="Join"/>.</summary>
    /// <param name="prompt">The prompt.</param>
    /// <param name="answer">The answer.</param>
    /// <param name="endToken">What an answer of a causal model ends with; null for nothing. A decoder's end is the tokenizer's to add.</param>
    public EncodedText WithAnswer(EncodedText prompt, string answer, int? endToken)
    {
        int[] ids = [.. Files.Tokenizer.Encode(answer)];
        return Join(
            prompt,
            IsEncoderDecoder ? Files.Tokenizer.WithSpecialTokens(ids, [], isPair: false).Ids
            : endToken is { } end ? [.. ids, end]
            : ids);
    }

    /// <summary>A prompt with what is to be written to it: of an encoder–decoder as targets, of a causal model behind the prompt.</summary>
    /// <param name="prompt">The prompt.</param>
    /// <param name="target">Ids of what is to be written, an end token included where there is to be one.</param>
    public EncodedText Join(EncodedText prompt, int[] target) => IsEncoderDecoder ? prompt.WithTargets(target) : prompt.FollowedBy(target);

    /// <summary>Ids of a text that stands for itself, such as one from a chat template, which has its special tokens in it.</summary>
    public int[] EncodeWhole(string text) => [.. Files.Tokenizer.Encode(text)];

    /// <summary>Options with what the model's files add to them.</summary>
    /// <param name="options">The options; null for those of the files.</param>
    public GenerationOptions Complete(GenerationOptions? options) => options is null ? Defaults
        : options.EndTokens.Count == 0 ? options with { EndTokens = Defaults.EndTokens }
        : options;

    /// <summary>A model as one that writes.</summary>
    /// <param name="model">The model, of this generator's files.</param>
    /// <param name="observer">Is shown what the MoE layers route where; null for none.</param>
    public static IGenerativeModel View(Model<EncodedText> model, IRoutingObserver? observer = null) =>
        model.Head is DecoderHead ? new EncoderDecoderModel(model, observer: observer) : new CausalModel(model, observer: observer);

    /// <summary>Writes answers to prompts, some at a time.</summary>
    /// <param name="model">The model, of this generator's files.</param>
    /// <param name="prompts">The prompts.</param>
    /// <param name="options">How; complete.</param>
    /// <param name="batchSize">Prompts at a time.</param>
    /// <param name="measuresEntropy">Whether the routers' entropy is measured.</param>
    /// <param name="nameOf">What errors call a prompt; null for its number.</param>
    /// <param name="stop">Ends it, with an exception.</param>
    /// <returns>The answers to each.</returns>
    /// <exception cref="ArgumentException">A prompt does not fit the model; the message names it, and nothing was computed.</exception>
    public IReadOnlyList<WrittenRow> Write(
        Model<EncodedText> model,
        IReadOnlyList<EncodedText> prompts,
        GenerationOptions options,
        int batchSize,
        bool measuresEntropy,
        Func<int, string>? nameOf = null,
        CancellationToken stop = default)
    {
        new Generator(View(model), options, TextOf).CheckPrompts([.. prompts.Select(prompt => prompt.Ids!.Ids)], nameOf);
        var written = new WrittenRow[prompts.Count];
        // prompts of about one length are answered together: none waits for a long one to be read
        int[] byLength = [.. Enumerable.Range(0, prompts.Count).OrderBy(i => prompts[i].Length)];
        foreach (var batch in byLength.Chunk(batchSize))
        {
            var entropies = measuresEntropy ? new SequenceEntropies(batch.Length, options.SequencesAtOnce) : null;
            int[][] ids = [.. batch.Select(i => prompts[i].Ids!.Ids)];
            var answers = new Generator(View(model, entropies), options, TextOf).Generate(ids, place => NumberOf(ids[place]), stop: stop);
            foreach (var (place, row) in batch.Index())
                written[row] = new WrittenRow(BestFirst(answers[place], options), entropies?.MeanOf(place) ?? double.NaN);
        }

        return written;
    }

    /// <summary>Text of ids, without special tokens.</summary>
    public string TextOf(IReadOnlyList<int> ids) => Files.Tokenizer.Inner.Decode(ids, skipSpecialTokens: true);

    /// <summary>The number of a prompt that draws its random numbers: the same wherever the prompt stands.</summary>
    public static long NumberOf(int[] prompt) => (long)prompt.Aggregate((ulong)prompt.Length, (hash, id) => StableHash.Combine(hash, (ulong)id));

    // models without a start token of their own were trained on texts that follow end tokens
    private static TextGenerator Of(EncoderFiles files, PublishedSettings settings, GenerationOptions defaults, bool isEncoderDecoder) =>
        new(files, defaults, settings.Int("bos_token_id") ?? (defaults.EndTokens.Count > 0 ? defaults.EndTokens[0] : null), isEncoderDecoder);

    // beam search has them in this order, by a score that the lengths count in
    private static GeneratedText[] BestFirst(GeneratedSequence[] answers, GenerationOptions options) =>
        [.. (options.Beams > 1 ? answers : answers.OrderByDescending(answer => answer.LogProbability).AsEnumerable()).Select(ToText)];

    private static GeneratedText ToText(GeneratedSequence answer) =>
        new(answer.Text ?? "", answer.Tokens, answer.LogProbability, answer.End);
}
