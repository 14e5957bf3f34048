using System.Buffers;
using Microsoft.ML.Offline;

namespace Microsoft.ML.Tokenizers;

/// <summary>Each word is the longest pieces of the vocabulary that it can be read as from its start, or else unknown.</summary>
public class WordPieceTokenizer : Tokenizer
{
    private readonly WordPieceVocabulary _vocabulary;

    internal WordPieceTokenizer(WordPieceVocabulary vocabulary, WordPieceOptions options)
    {
        ArgumentNullException.ThrowIfNull(options.UnknownToken);
        ArgumentNullException.ThrowIfNull(options.ContinuingSubwordPrefix);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.MaxInputCharsPerWord);
        _vocabulary = vocabulary;
        UnknownToken = options.UnknownToken;
        UnknownTokenId = vocabulary.IdOf(options.UnknownToken)
            ?? throw new ArgumentException($"The unknown token '{options.UnknownToken}' is not in the vocabulary.");
        SpecialTokens = options.SpecialTokens;
        ContinuingSubwordPrefix = options.ContinuingSubwordPrefix;
        MaxInputCharsPerWord = options.MaxInputCharsPerWord;
        PreTokenizer = options.PreTokenizer ?? PreTokenizer.CreateWhiteSpace(options.SpecialTokens);
        Normalizer = options.Normalizer;
    }

    public override PreTokenizer PreTokenizer { get; }

    public override Normalizer Normalizer { get; }

    public string UnknownToken { get; }

    public int UnknownTokenId { get; }

    public string ContinuingSubwordPrefix { get; }

    public int MaxInputCharsPerWord { get; }

    public IReadOnlyDictionary<string, int> SpecialTokens { get; }

    public static WordPieceTokenizer Create(string vocabFilePath, WordPieceOptions options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(vocabFilePath);
        using var stream = File.OpenRead(vocabFilePath);
        return Create(stream, options);
    }

    public static WordPieceTokenizer Create(Stream vocabStream, WordPieceOptions options = null) =>
        new(new WordPieceVocabulary(vocabStream), options ?? new WordPieceOptions());

    public override string Decode(IEnumerable<int> ids) => Decode(ids, skipSpecialTokens: false);

    public string Decode(IEnumerable<int> ids, bool skipSpecialTokens)
    {
        ArgumentNullException.ThrowIfNull(ids);
        return string.Concat(Pieces(ids, skipSpecialTokens).SelectMany(p => new[] { p.Space ? " " : "", p.Text }));
    }

    public override OperationStatus Decode(IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten) =>
        Decode(ids, destination, false, out idsConsumed, out charsWritten);

    public OperationStatus Decode(
        IEnumerable<int> ids, Span<char> destination, bool skipSpecialTokens, out int idsConsumed, out int charsWritten)
    {
        ArgumentNullException.ThrowIfNull(ids);
        (idsConsumed, charsWritten) = (0, 0);
        foreach (var (text, space, consumed) in Pieces(ids, skipSpecialTokens))
        {
            var piece = space ? " " + text : text;
            if (!piece.TryCopyTo(destination[charsWritten..]))
                return OperationStatus.DestinationTooSmall;
            charsWritten += piece.Length;
            idsConsumed = consumed;
        }

        return OperationStatus.Done;
    }

    protected override EncodeResults<EncodedToken> EncodeToTokens(string text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        var source = Prepare(text, textSpan, settings, out var normalized, out var words);
        var tokens = new List<EncodedToken>();
        foreach (var (offset, length) in words)
            AddTokens(source, offset, length, tokens);
        return new EncodeResults<EncodedToken> { Tokens = tokens, NormalizedText = normalized, CharsConsumed = source.Length };
    }

    /// <summary>Whole words only, as many as fit.</summary>
    protected override EncodeResults<int> EncodeToIds(string text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(settings.MaxTokenCount);
        var source = Prepare(text, textSpan, settings, out var normalized, out var words);
        var ids = new List<int>();
        var consumed = 0;
        foreach (var (offset, length) in words)
        {
            var tokens = new List<EncodedToken>();
            if (ids.Count + AddTokens(source, offset, length, tokens) > settings.MaxTokenCount)
                break;
            ids.AddRange(tokens.Select(t => t.Id));
            if (ids.Count == settings.MaxTokenCount)
                break;
            consumed = offset + length;
        }

        return new EncodeResults<int> { Tokens = ids, NormalizedText = normalized, CharsConsumed = consumed };
    }

    protected override int CountTokens(string text, ReadOnlySpan<char> textSpan, EncodeSettings settings) =>
        EncodeToIds(text, textSpan, settings).Tokens.Count;

    private string Prepare(
        string text,
        ReadOnlySpan<char> span,
        EncodeSettings settings,
        out string normalized,
        out IEnumerable<(int Offset, int Length)> words)
    {
        var source = text ?? span.ToString();
        normalized = settings.ConsiderNormalization && source.Length > 0 ? Normalizer?.Normalize(source) : null;
        source = normalized ?? source;
        words = settings.ConsiderPreTokenization ? PreTokenizer.PreTokenize(source) : source.Length > 0 ? [(0, source.Length)] : [];
        return source;
    }

    /// <summary>How many pieces were found, though the word may turn out to be unknown as a whole.</summary>
    private int AddTokens(string source, int offset, int length, List<EncodedToken> tokens)
    {
        var (first, end) = (tokens.Count, offset + length);
        var start = length > MaxInputCharsPerWord ? -1 : offset;
        while (start >= 0 && start < end)
        {
            var prefix = start > offset ? ContinuingSubwordPrefix : "";
            var piece = _vocabulary.LongestPiece(prefix, source.AsSpan(start, end - start), out var id);
            if (piece > 0)
                tokens.Add(new EncodedToken(id, _vocabulary.PieceOf(id), new Range(start, start + piece)));
            start = piece > 0 ? start + piece : -1;
        }

        var found = tokens.Count - first;
        if (start < 0)
        {
            tokens.RemoveRange(first, found);
            tokens.Add(new EncodedToken(UnknownTokenId, UnknownToken, new Range(offset, end)));
        }

        return found;
    }

    private IEnumerable<(string Text, bool Space, int Consumed)> Pieces(IEnumerable<int> ids, bool skipSpecialTokens)
    {
        var (consumed, first) = (0, true);
        foreach (var id in ids)
        {
            consumed++;
            if (skipSpecialTokens && SpecialTokens?.Values.Contains(id) == true)
                continue;
            if (_vocabulary.PieceOf(id) is { } piece)
                yield return piece.StartsWith(ContinuingSubwordPrefix, StringComparison.Ordinal)
                    ? (piece[ContinuingSubwordPrefix.Length..], false, consumed)
                    : (piece, !first && piece[0] is not ('.' or ',' or '!' or '?' or '\''), consumed);
            first = false;
        }
    }
}
