namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>
/// WordPiece (Schuster and Nakajima 2012; Devlin et al. 2019, section 3): the longest token that a word begins with, then the longest with
/// a
/// prefix that what is left begins with, and so on. A word that cannot be spelled so is one unknown token.
/// </summary>
internal sealed class WordPieceModel : SubwordModel
{
    private readonly TokenTrie _trie = new();
    private readonly int _continuation;
    private readonly int _maximumCharacters;

    /// <summary>Creates the model.</summary>
    /// <param name="ids">Ids by token.</param>
    /// <param name="unknown">The token for words that cannot be spelled.</param>
    /// <param name="prefix">What tokens inside words begin with.</param>
    /// <param name="maximumCharacters">Longest word in code points; longer ones are unknown.</param>
    public WordPieceModel(Dictionary<string, int> ids, string unknown, string prefix, int maximumCharacters)
        : base(ids)
    {
        foreach (var (text, id) in ids)
            _trie.Add(text, id);
        Unknown = ids.GetValueOrDefault(unknown, -1);
        _continuation = _trie.Find(prefix);
        _maximumCharacters = maximumCharacters;
    }

    public override int Unknown { get; }

    public override void Tokenize(ReadOnlySpan<char> piece, int offset, List<PieceToken> tokens)
    {
        var first = tokens.Count;
        if (piece.Length <= _maximumCharacters || CodePoints.Count(piece) <= _maximumCharacters)
        {
            for (var start = 0; ;)
            {
                var node = start == 0 ? TokenTrie.Root : _continuation;
                var length = 0;
                var id = node < 0 ? TokenTrie.NoValue : _trie.Longest(node, piece[start..], out length);
                if (id == TokenTrie.NoValue)
                    break;
                tokens.Add(new PieceToken(id, offset + start, offset + start + length));
                start += length;
                if (start == piece.Length)
                    return;
            }

            tokens.RemoveRange(first, tokens.Count - first);
        }

        if (Unknown < 0)
            throw new InvalidOperationException("The vocabulary has no token for unknown words, and the text has one.");
        tokens.Add(new PieceToken(Unknown, offset, offset + piece.Length));
    }
}

/// <summary>Whole pieces are tokens.</summary>
internal sealed class WordLevelModel(Dictionary<string, int> ids, string unknown) : SubwordModel(ids)
{
    public override int Unknown { get; } = ids.GetValueOrDefault(unknown, -1);

    public override void Tokenize(ReadOnlySpan<char> piece, int offset, List<PieceToken> tokens)
    {
        if (!TryGetId(piece, out var id))
            id = Unknown >= 0
                ? Unknown
                : throw new InvalidOperationException("The vocabulary has no token for unknown words, and the text has one.");
        tokens.Add(new PieceToken(id, offset, offset + piece.Length));
    }
}
