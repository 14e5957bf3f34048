using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.Moe;

/// <summary>
/// A tokenizer of <c>Microsoft.ML.Tokenizers</c> in the service of a MoE model, which learns an embedding for each of its ids.
/// Whether text is lower-cased first is decided by the trainer's <c>Lowercase</c> option.
/// </summary>
/// <example>
/// <code language="csharp"><![CDATA[
/// var options = new MoeTextClassificationTrainer.Options
/// {
///     Sentence1ColumnName = "Text",
///     Tokenizer = TextTokenizer.FromWordPieceVocabulary("bert-base-uncased.vocab.txt"),
/// };
/// ]]></code>
/// </example>
public sealed class TextTokenizer : ISubwordTokenizer
{
    /// <summary>Largest vocabulary file accepted, in bytes.</summary>
    internal const int MaximumVocabularyBytes = 1 << 26;

    private const int MaximumVocabularySize = 1 << 22;
    private const string WordPiece = "WordPiece";
    private const string HuggingFaceName = "HuggingFace";

    private static readonly SearchValues<char> ControlSpace = SearchValues.Create("\t\n\v\f\r\u0085");
    private static readonly ConcurrentDictionary<string, TextTokenizer> Registry = new();
    private readonly Tokenizer _tokenizer;
    private readonly HuggingFaceTokenizer? _published;
    private string[]? _pieces;

    private TextTokenizer(string name, Tokenizer tokenizer, int vocabularySize, byte[]? vocabulary = null)
    {
        Name = name;
        _tokenizer = tokenizer;
        _published = tokenizer as HuggingFaceTokenizer;
        VocabularySize = vocabularySize;
        Vocabulary = vocabulary;
    }

    /// <summary>Name by which saved models refer to it.</summary>
    public string Name { get; }

    /// <summary>Number of ids; every id lies within [0, VocabularySize).</summary>
    public int VocabularySize { get; }

    /// <summary>The vocabulary file of a WordPiece tokenizer, which the model zip then carries; null for any other.</summary>
    internal byte[]? Vocabulary { get; }

    /// <summary>The files of a tokenizer in Hugging Face's files, which the model zip then carries; null for any other.</summary>
    internal IReadOnlyDictionary<string, byte[]>? Files => _published?.Files;

    /// <summary>As a model takes it: one of a published encoder knows which special tokens stand around a text.</summary>
    internal ISubwordTokenizer OfModel => _published is null ? this : new PublishedTokenizer(_published);

    /// <summary>
    /// A WordPiece tokenizer as BERT uses it: text is split at white space and punctuation, words into the longest pieces that the
    /// vocabulary knows. Models carry the vocabulary in their zip.
    /// </summary>
    /// <param name="path">
    /// Vocabulary file, UTF-8, one piece a line, the line number being its id, continuations beginning with <c>##</c>; with
    /// <c>[UNK]</c>, <c>[CLS]</c>, <c>[SEP]</c>, <c>[PAD]</c> and <c>[MASK]</c>.
    /// </param>
    /// <exception cref="ArgumentException">The file is not such a vocabulary.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static TextTokenizer FromWordPieceVocabulary(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var stream = File.OpenRead(path);
        return FromWordPieceVocabulary(stream);
    }

    /// <summary>As <see cref="FromWordPieceVocabulary(string)"/>, from a stream.</summary>
    /// <param name="vocabulary">Contents of the vocabulary file.</param>
    /// <exception cref="ArgumentException">The stream does not hold such a vocabulary.</exception>
    public static TextTokenizer FromWordPieceVocabulary(Stream vocabulary)
    {
        ArgumentNullException.ThrowIfNull(vocabulary);
        var bytes = ReadBounded(vocabulary);
        var size = CheckVocabulary(bytes);
        var tokenizer = BertTokenizer.Create(
            new MemoryStream(bytes),
            new BertOptions { LowerCaseBeforeTokenization = false, SplitOnSpecialTokens = false });
        return new TextTokenizer(WordPiece, tokenizer, size, bytes);
    }

    /// <summary>
    /// A tokenizer in Hugging Face's files. Models carry the files in their zip; nothing has to be registered to load them.
    /// </summary>
    /// <param name="tokenizer">The tokenizer; special tokens are not put around texts.</param>
    /// <exception cref="ArgumentException">Its largest id is 2²² or more.</exception>
    public static TextTokenizer FromHuggingFace(HuggingFaceTokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        return tokenizer.VocabularySize is > 0 and <= MaximumVocabularySize
            ? new TextTokenizer(HuggingFaceName, tokenizer, tokenizer.VocabularySize)
            : throw new ArgumentException(
                $"The tokenizer has {tokenizer.VocabularySize} ids; 1 to {MaximumVocabularySize} are possible.", nameof(tokenizer));
    }

    /// <summary>
    /// Any tokenizer. Saved models refer to it by name: a process that loads one must <see cref="Register"/> it first. It must be
    /// safe to use from several threads, as those of <c>Microsoft.ML.Tokenizers</c> are, and should not add special tokens.
    /// </summary>
    /// <param name="name">Name for saved models to refer to it by.</param>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="vocabularySize">Number of ids: one more than the largest that it can give. Within [1, 2²²].</param>
    public static TextTokenizer FromTokenizer(string name, Tokenizer tokenizer, int vocabularySize)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabularySize, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(vocabularySize, MaximumVocabularySize);
        if (tokenizer is HuggingFaceTokenizer)
            throw new ArgumentException($"Models carry the files of this tokenizer: use {nameof(FromHuggingFace)}.", nameof(tokenizer));
        return new TextTokenizer(name, tokenizer, vocabularySize);
    }

    /// <summary>Makes a tokenizer known to this process, so that models that refer to its name can be loaded.</summary>
    /// <param name="tokenizer">From <see cref="FromTokenizer"/>; replaces one of the same name.</param>
    public static void Register(TextTokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        Registry[tokenizer.Name] = tokenizer;
    }

    /// <inheritdoc/>
    public IReadOnlyList<int> Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (_published is not null)
            return _published.EncodeIds(text);
        return _tokenizer.EncodeToIds(Vocabulary is null ? text : Clean(text));
    }

    /// <inheritdoc/>
    public string? TextOf(int id)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(id);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(id, VocabularySize);
        if (_published is not null)
            return _published.TokenText(id);
        if (Vocabulary is not null)
            return (_pieces ??= [.. Lines(Vocabulary)])[id];
        try
        {
            return _tokenizer.Decode([id]);
        }
        catch (InvalidOperationException)
        {
            // an id that is no text by itself
            return null;
        }
    }

    /// <summary>A registered tokenizer.</summary>
    /// <exception cref="InvalidOperationException">There is none of this name.</exception>
    internal static TextTokenizer Registered(string name) => Registry.TryGetValue(name, out var tokenizer)
        ? tokenizer
        : throw new InvalidOperationException(
            $"The model was trained with the tokenizer '{name}', which this process does not know. Before loading, call "
            + $"TextTokenizer.Register(TextTokenizer.FromTokenizer(\"{name}\", tokenizer, vocabularySize)).");

    /// <summary>
    /// Makes white space of all kinds plain: the tokenizer would drop line ends and tabs and join the words beside them. Halves of
    /// surrogate pairs, which it would fail on, become replacement characters.
    /// </summary>
    private static string Clean(string text)
    {
        if (!text.AsSpan().ContainsAny(ControlSpace) && !text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF'))
            return text;
        var clean = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
            clean.Append(Rune.IsWhiteSpace(rune) ? new Rune(' ') : rune);
        return clean.ToString();
    }

    private static byte[] ReadBounded(Stream stream) => BoundedStream.ReadAtMost(stream, MaximumVocabularyBytes)
        ?? throw new ArgumentException($"The vocabulary is larger than {MaximumVocabularyBytes} bytes.", nameof(stream));

    private static IEnumerable<string> Lines(byte[] bytes)
    {
        using var reader = new StreamReader(new MemoryStream(bytes));
        while (reader.ReadLine() is { } line)
            yield return line;
    }

    /// <summary>Checks what the tokenizer would stumble over, and counts the ids.</summary>
    private static int CheckVocabulary(byte[] bytes)
    {
        var pieces = new HashSet<string>();
        var lines = 0;
        foreach (var line in Lines(bytes))
        {
            lines++;
            if (line.Length > 0 && !pieces.Add(line))
                throw new ArgumentException($"The vocabulary holds '{line}' twice (line {lines}).", nameof(bytes));
        }

        if (lines > MaximumVocabularySize)
            throw new ArgumentException($"The vocabulary has {lines} lines; {MaximumVocabularySize} are possible.", nameof(bytes));
        foreach (var special in new[] { "[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]" })
            if (!pieces.Contains(special))
                throw new ArgumentException($"The vocabulary lacks the line '{special}'.", nameof(bytes));
        return lines;
    }
}
