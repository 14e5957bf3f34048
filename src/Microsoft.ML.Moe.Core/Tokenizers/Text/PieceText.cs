namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Part of a text that stays together.</summary>
/// <param name="Start">First unit.</param>
/// <param name="Length">Units.</param>
/// <param name="Token">Id of the added token that it is; −1 for text still to be tokenized.</param>
internal readonly record struct Piece(int Start, int Length, int Token = Piece.NoToken)
{
    /// <summary>Text still to be tokenized.</summary>
    public const int NoToken = -1;
}

/// <summary>A text in pieces, which cover what is left of it in order. For one thread; reused from text to text.</summary>
internal sealed class PieceText
{
    private List<Piece> _next = [];
    private AlignedText _spare = new();
    private readonly List<PatternMatch> _matches = [];
    private readonly List<(int Start, int End, bool IsMatch)> _parts = [];

    /// <summary>The text.</summary>
    public AlignedText Text { get; private set; } = new();

    /// <summary>Its pieces.</summary>
    public List<Piece> Pieces { get; private set; } = [];

    /// <summary>Another text for a change to be written into.</summary>
    public AlignedText Scratch { get; } = new();

    /// <summary>Yet another one.</summary>
    public AlignedText SecondScratch { get; } = new();

    /// <summary>Takes a new text, in one piece.</summary>
    public void Reset(ReadOnlySpan<char> text)
    {
        Text.SetOriginal(text);
        Pieces.Clear();
        if (text.Length > 0)
            Pieces.Add(new Piece(0, text.Length));
    }

    /// <summary>Replaces every piece without a token by what a method adds to the list: pieces of the same text.</summary>
    public void SplitPieces<TState>(TState state, Action<TState, AlignedText, Piece, List<Piece>> split)
    {
        _next.Clear();
        foreach (var piece in Pieces)
        {
            if (piece.Token != Piece.NoToken)
                _next.Add(piece);
            else
                split(state, Text, piece, _next);
        }

        (Pieces, _next) = (_next, Pieces);
    }

    /// <summary>Rewrites the text piece by piece: a method appends what becomes of a piece without a token to the new text.</summary>
    public void Rewrite<TState>(TState state, Action<TState, AlignedText, Piece, AlignedText> rewrite)
    {
        _next.Clear();
        _spare.Clear();
        foreach (var piece in Pieces)
        {
            var start = _spare.Length;
            if (piece.Token != Piece.NoToken)
                _spare.Append(Text, piece.Start, piece.Length);
            else
                rewrite(state, Text, piece, _spare);
            if (_spare.Length > start)
                _next.Add(new Piece(start, _spare.Length - start, piece.Token));
        }

        (Text, _spare) = (_spare, Text);
        (Pieces, _next) = (_next, Pieces);
    }

    /// <summary>Splits every piece without a token at the matches of a pattern.</summary>
    /// <param name="pattern">The pattern.</param>
    /// <param name="behavior">What becomes of the matches.</param>
    /// <param name="invert">Whether what lies between the matches counts as matches instead.</param>
    public void Split(TextPattern pattern, SplitBehavior behavior, bool invert)
    {
        _next.Clear();
        foreach (var piece in Pieces)
        {
            if (piece.Token != Piece.NoToken)
            {
                _next.Add(piece);
                continue;
            }

            _matches.Clear();
            pattern.FindMatches(Text.Units.Slice(piece.Start, piece.Length), _matches);
            FindParts(piece.Length, invert);
            foreach (var (start, end) in behavior.Join(_parts))
                if (end > start)
                    _next.Add(new Piece(piece.Start + start, end - start));
        }

        (Pieces, _next) = (_next, Pieces);
    }

    /// <summary>Drops memory that an unusually long text has left.</summary>
    public bool IsLarge => Text.Capacity > 1 << 20 || _spare.Capacity > 1 << 20;

    private void FindParts(int length, bool invert)
    {
        _parts.Clear();
        var last = 0;
        foreach (var (start, end) in _matches)
        {
            if (start > last)
                _parts.Add((last, start, invert));
            _parts.Add((start, end, !invert));
            last = end;
        }

        if (last < length)
            _parts.Add((last, length, invert));
    }
}
