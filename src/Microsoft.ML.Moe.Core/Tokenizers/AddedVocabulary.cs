using System.Buffers;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>
/// Added tokens: leftmost longest ones are cut out of the text, some before normalization and some after it. Safe to use from several
/// threads.
/// Source: huggingface/tokenizers, tokenizer/added_vocabulary.rs.
/// </summary>
internal sealed class AddedVocabulary
{
    private readonly Dictionary<string, int> _ids = [];
    private readonly Dictionary<int, AddedToken> _tokens = [];
    private readonly Dictionary<int, string> _normalized = [];
    private readonly HashSet<string> _special = [];
    private readonly Matcher? _raw;
    private readonly Matcher? _afterNormalization;

    /// <summary>Adds tokens in their order.</summary>
    /// <param name="tokens">The tokens; of equal contents the last one counts.</param>
    /// <param name="model">The model, whose ids of the same texts count.</param>
    /// <param name="normalizer">What normalized tokens go through.</param>
    public AddedVocabulary(IEnumerable<AddedToken> tokens, SubwordModel model, TextNormalizer? normalizer)
    {
        // ids go on behind the number of different tokens, as in the source, which differs from the largest id where ids have gaps
        var vocabulary = model.Vocabulary.Count;
        var next = vocabulary;
        foreach (var token in tokens)
        {
            if (token.Content.Length == 0)
                continue;
            if (!_ids.TryGetValue(token.Content, out var id) && !model.TryGetId(token.Content, out id))
                id = next++;
            if (token.Normalized && normalizer?.Normalize(token.Content) is { } normalized && normalized != token.Content)
                _normalized[id] = normalized;
            _ids[token.Content] = id;
            if (token.Special)
                _special.Add(token.Content);
            _tokens[id] = token with { Id = id };
        }

        Size = _tokens.Count == 0 ? 0 : _tokens.Keys.Max() + 1;
        _raw = Matcher.Create(_tokens.Values.Where(t => !t.Normalized).Select(t => (t.Content, t)));
        _afterNormalization = Matcher.Create(_tokens.Values.Where(t => t.Normalized).Select(t => (_normalized.GetValueOrDefault(t.Id,
            t.Content), t)));
    }

    /// <summary>One more than the largest id.</summary>
    public int Size { get; }

    /// <summary>The tokens.</summary>
    public IReadOnlyCollection<AddedToken> Tokens => _tokens.Values;

    /// <summary>Id of a token.</summary>
    public bool TryGetId(string content, out int id) => _ids.TryGetValue(content, out id);

    /// <summary>Text of a token as decoding sees it: normalized where it is looked for so; null for none.</summary>
    public string? DecodedText(int id) => _normalized.TryGetValue(id, out var text) ? text : Text(id);

    /// <summary>Text of a token; null for none.</summary>
    public string? Text(int id) => _tokens.TryGetValue(id, out var token) ? token.Content : null;

    /// <summary>Whether a text is that of a special token.</summary>
    public bool IsSpecial(string content) => _special.Contains(content);

    /// <summary>Cuts tokens out and normalizes what is left.</summary>
    /// <param name="text">The text, in one piece.</param>
    /// <param name="normalizer">The normalizer; null for none.</param>
    public void Split(PieceText text, TextNormalizer? normalizer)
    {
        if (_raw is not null)
            text.SplitPieces(_raw, static (matcher, all, piece, pieces) => matcher.Split(all.Units.Slice(piece.Start, piece.Length),
                piece.Start, pieces));
        if (normalizer is not null)
            text.Rewrite((normalizer, text), static (state, source, piece, target) =>
            {
                var own = source;
                if (piece.Length < source.Length)
                {
                    own = state.text.Scratch;
                    own.Clear();
                    own.Append(source, piece.Start, piece.Length);
                }

                var result = state.normalizer.Normalize(own, state.text.SecondScratch) ? state.text.SecondScratch : own;
                target.Append(result, 0, result.Length);
            });
        if (_afterNormalization is not null)
            text.SplitPieces(
                _afterNormalization,
                static (matcher, all, piece, pieces) => matcher.Split(all.Units.Slice(piece.Start, piece.Length), piece.Start, pieces));
    }

    /// <summary>Finds tokens in text.</summary>
    private sealed class Matcher
    {
        private readonly TokenTrie _trie = new();
        private readonly List<AddedToken> _tokens = [];
        private readonly SearchValues<char> _firstUnits;

        private Matcher(List<(string Pattern, AddedToken Token)> patterns)
        {
            foreach (var (pattern, token) in patterns)
            {
                _trie.Add(pattern, _tokens.Count);
                _tokens.Add(token);
            }

            _firstUnits = SearchValues.Create([.. patterns.Select(p => p.Pattern[0]).Distinct()]);
        }

        public static Matcher? Create(IEnumerable<(string Pattern, AddedToken Token)> patterns)
        {
            var all = patterns.Where(p => p.Pattern.Length > 0).ToList();
            return all.Count == 0 ? null : new Matcher(all);
        }

        public void Split(ReadOnlySpan<char> units, int offset, List<Piece> pieces)
        {
            var done = 0;
            for (var at = 0; at < units.Length;)
            {
                var found = units[at..].IndexOfAny(_firstUnits);
                if (found < 0)
                    break;
                at += found;
                var index = _trie.Longest(TokenTrie.Root, units[at..], out var length);
                if (index == TokenTrie.NoValue)
                {
                    at++;
                    continue;
                }

                var (start, end) = (at, at + length);
                at = end;
                var token = _tokens[index];
                if (token.SingleWord && TouchesWord(units, start, end))
                    continue;
                if (token.StripsLeft)
                    while (start > done && UnicodeSets.WhiteSpace.Contains(units[start - 1]))
                        start--;
                if (token.StripsRight)
                    while (end < units.Length && UnicodeSets.WhiteSpace.Contains(units[end]))
                        end++;
                start = Math.Max(start, done);
                if (start > done)
                    pieces.Add(new Piece(offset + done, start - done));
                if (end > start)
                    pieces.Add(new Piece(offset + start, end - start, token.Id));
                done = end;
            }

            if (done < units.Length)
                pieces.Add(new Piece(offset + done, units.Length - done));
        }

        private static bool TouchesWord(ReadOnlySpan<char> units, int start, int end) =>
            (start > 0 && UnicodeSets.RustWord.Contains(CodePoints.Before(units, start, out _)))
            || (end < units.Length && UnicodeSets.RustWord.Contains(CodePoints.At(units, end, out _)));
    }
}
