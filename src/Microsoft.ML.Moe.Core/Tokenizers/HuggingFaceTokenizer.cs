using System.Buffers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>
/// A tokenizer in Hugging Face's files: <c>tokenizer.json</c> with every model (BPE, WordPiece, Unigram, WordLevel), normalizer,
/// pre-tokenizer, post-processor and decoder that huggingface/tokenizers has; or, where there is no such file, <c>vocab.txt</c> of BERT,
/// <c>vocab.json</c> with <c>merges.txt</c>, or a SentencePiece <c>*.model</c>. Gives the ids and offsets that huggingface/tokenizers
/// gives.
/// Safe to use from several threads.
/// </summary>
/// <remarks>
/// The members of <see cref="Tokenizer"/> give tokens without special ones around the text (added tokens <em>in</em> the text are found),
/// and
/// offsets into the original text in UTF-16 units; the normalized text that they return is null. They throw
/// <see cref="InvalidOperationException"/> for a text that needs a token for unknown words where the vocabulary has none, and
/// <see cref="InvalidDataException"/> where the file's parts would make a text over 128 times as long.
/// </remarks>
/// <example>
/// <code language="csharp"><![CDATA[
/// var tokenizer = HuggingFaceTokenizer.Load("models/all-MiniLM-L6-v2");
/// IReadOnlyList<int> ids = tokenizer.EncodeToIds("The river bends twice.");
/// ]]></code>
/// </example>
public sealed class HuggingFaceTokenizer : Tokenizer
{
    private readonly TokenizerPipeline _pipeline;
    private readonly TokenizerFiles _files;

    private HuggingFaceTokenizer(TokenizerFiles files)
    {
        _files = files;
        _pipeline = new TokenizerPipeline(files.Read(out var config));
        SpecialTokens = SpecialTokenIds.Find(config, _pipeline);
        MaximumLength = config.MaximumLength;
    }

    /// <summary>One more than the largest id, added tokens counted: rows of an embedding table that all ids fit in.</summary>
    public int VocabularySize => _pipeline.VocabularySize;

    /// <summary>Largest number of tokens that the model was made for, special ones counted; null where the files do not tell.</summary>
    internal int? MaximumLength { get; }

    /// <summary>Ids of the special tokens.</summary>
    internal SpecialTokenIds SpecialTokens { get; }

    /// <summary>Tokens that are found in the text before the model sees it.</summary>
    internal IReadOnlyCollection<AddedToken> AddedTokens => _pipeline.Added.Tokens;

    /// <summary>How tokenizer.json says that texts are cut; not done unless asked for.</summary>
    internal TruncationSettings? Truncation => _pipeline.Truncation;

    /// <summary>How tokenizer.json says that texts are filled up; not done unless asked for.</summary>
    internal PaddingSettings? Padding => _pipeline.Padding;

    /// <summary>
    /// The files that the tokenizer was made from, by name; <see cref="Load(IReadOnlyDictionary{string, byte[]})"/> reads them again.
    /// </summary>
    internal IReadOnlyDictionary<string, byte[]> Files => _files.Contents;

    /// <summary>Reads a tokenizer from a folder or a file.</summary>
    /// <param name="path">
    /// A folder with the files, as a model's repository on the Hugging Face hub has them; or one of them, read with those that lie beside
    /// it.
    /// </param>
    /// <exception cref="FileNotFoundException">There is no tokenizer; the message says which files are needed.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or has a part that is not supported; the message names both.</exception>
    public static HuggingFaceTokenizer Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return new HuggingFaceTokenizer(TokenizerFiles.OfPath(path));
    }

    /// <summary>Reads a tokenizer from the contents of a tokenizer.json.</summary>
    /// <param name="tokenizerJson">The contents; read to the end, not closed.</param>
    /// <exception cref="InvalidDataException">The file is damaged, or has a part that is not supported; the message names it.</exception>
    public static HuggingFaceTokenizer Load(Stream tokenizerJson)
    {
        ArgumentNullException.ThrowIfNull(tokenizerJson);
        return new HuggingFaceTokenizer(TokenizerFiles.OfStream(tokenizerJson));
    }

    /// <summary>Reads a tokenizer from files by name, which <see cref="Save"/> would write.</summary>
    /// <param name="files">Contents by file name; names that are not a tokenizer's are passed over.</param>
    /// <exception cref="FileNotFoundException">There is no tokenizer among them; the message says which files are needed.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or has a part that is not supported; the message names both.</exception>
    public static HuggingFaceTokenizer Load(IReadOnlyDictionary<string, byte[]> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        return new HuggingFaceTokenizer(TokenizerFiles.OfContents(files));
    }

    /// <summary>Writes the files that the tokenizer was made from.</summary>
    /// <param name="folder">The folder; made if it is not there. Files of the same names are replaced.</param>
    public void Save(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        Directory.CreateDirectory(folder);
        foreach (var (name, contents) in Files)
            File.WriteAllBytes(Path.Combine(folder, name), contents);
    }

    /// <summary>Encodes a text or a pair as models read it.</summary>
    /// <param name="text">The text.</param>
    /// <param name="pair">The second text; null for none.</param>
    /// <param name="addSpecialTokens">Whether special tokens are put in.</param>
    /// <param name="truncation">How it is cut; null for not at all.</param>
    /// <param name="withTokens">Whether the texts of the tokens are wanted.</param>
    internal TokenEncoding Encode(
        string text, string? pair = null, bool addSpecialTokens = true, TruncationSettings? truncation = null, bool withTokens = false) =>
        _pipeline.Encode(text, pair, addSpecialTokens, truncation, withTokens);

    /// <summary>Ids of a text without special tokens, uncut.</summary>
    internal int[] EncodeIds(ReadOnlySpan<char> text) => _pipeline.EncodeIds(text);

    /// <summary>Puts special tokens around ids of a text or a pair, as <see cref="Encode"/> does.</summary>
    /// <param name="first">Ids of the first text.</param>
    /// <param name="second">Ids of the second; empty where there is none.</param>
    /// <param name="isPair">Whether there is a second text, which may be empty.</param>
    internal (int[] Ids, int[] TypeIds) AddSpecialTokens(ReadOnlySpan<int> first, ReadOnlySpan<int> second, bool isPair) =>
        _pipeline.AddSpecialTokens(first, second, isPair);

    /// <summary>Number of special tokens that <see cref="Encode"/> puts around a text or a pair.</summary>
    internal int SpecialTokensOf(bool isPair) => _pipeline.SpecialTokensOf(isPair);

    /// <summary>Text of a token; null for an id without one.</summary>
    internal string? TokenText(int id) => _pipeline.TextOf(id);

    /// <summary>Id of a token; −1 for none.</summary>
    internal int TokenId(string token) => _pipeline.IdOf(token);

    /// <summary>Text of ids.</summary>
    internal string Decode(IEnumerable<int> ids, bool skipSpecialTokens) => _pipeline.Decode(ids, skipSpecialTokens);

    /// <inheritdoc/>
    public override string Decode(IEnumerable<int> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        return _pipeline.Decode(ids, skipsSpecialTokens: false);
    }

    /// <inheritdoc/>
    public override OperationStatus Decode(IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var all = ids.ToList();
        var text = _pipeline.Decode(all, skipsSpecialTokens: false);
        if (!text.TryCopyTo(destination))
        {
            (idsConsumed, charsWritten) = (0, 0);
            return OperationStatus.DestinationTooSmall;
        }

        (idsConsumed, charsWritten) = (all.Count, text.Length);
        return OperationStatus.Done;
    }

    /// <inheritdoc/>
    protected override EncodeResults<EncodedToken> EncodeToTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        var tokens = Tokenize(text, textSpan, settings, out var normalized, out var length);
        var count = Math.Min(tokens.Count, settings.MaxTokenCount);
        var results = new EncodedToken[count];
        for (var i = 0; i < count; i++)
            results[i] = new EncodedToken(
                tokens[i].Id,
                _pipeline.TextOf(tokens[i], normalized),
                normalized.Starts[tokens[i].Start]..normalized.Ends[tokens[i].End - 1]);
        return new EncodeResults<EncodedToken> { Tokens = results, CharsConsumed = Consumed(tokens, count, normalized, length) };
    }

    /// <inheritdoc/>
    protected override EncodeResults<int> EncodeToIds(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        var tokens = Tokenize(text, textSpan, settings, out var normalized, out var length);
        var ids = new int[Math.Min(tokens.Count, settings.MaxTokenCount)];
        for (var i = 0; i < ids.Length; i++)
            ids[i] = tokens[i].Id;
        return new EncodeResults<int> { Tokens = ids, CharsConsumed = Consumed(tokens, ids.Length, normalized, length) };
    }

    /// <inheritdoc/>
    protected override int CountTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings) =>
        Math.Min(Tokenize(text, textSpan, settings, out _, out _).Count, settings.MaxTokenCount);

    private static int Consumed(List<PieceToken> tokens, int count, AlignedText normalized, int length) =>
        count == tokens.Count ? length : count <= 0 ? 0 : normalized.Ends[tokens[count - 1].End - 1];

    private List<PieceToken> Tokenize(
        string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings, out AlignedText normalized, out int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(settings.MaxTokenCount);
        var units = text is null ? textSpan : text.AsSpan();
        length = units.Length;
        return _pipeline.Tokenize(units, settings.ConsiderNormalization, settings.ConsiderPreTokenization, out normalized);
    }
}
