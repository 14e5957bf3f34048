namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Splits normalized text into the pieces that a model tokenizes one by one. Safe to use from several threads.</summary>
internal abstract class TextPreTokenizer
{
    /// <summary>Splits the pieces that are not tokens yet; may change their text as well.</summary>
    public abstract void Split(PieceText text);
}

/// <summary>Pre-tokenizers one after another.</summary>
internal sealed class SequencePreTokenizer(IReadOnlyList<TextPreTokenizer> preTokenizers) : TextPreTokenizer
{
    private readonly IReadOnlyList<TextPreTokenizer> _preTokenizers =
        [.. preTokenizers.SelectMany(p => p is SequencePreTokenizer sequence ? sequence._preTokenizers : [p])];

    public override void Split(PieceText text)
    {
        var length = text.Text.Length;
        foreach (var preTokenizer in _preTokenizers)
        {
            preTokenizer.Split(text);
            TextGrowth.Check(length, text.Text.Length);
        }
    }
}

/// <summary>Splits at the matches of a pattern: Split, Punctuation, Digits and CharDelimiterSplit.</summary>
internal sealed class SplitPreTokenizer(TextPattern pattern, SplitBehavior behavior, bool invert = false) : TextPreTokenizer
{
    public override void Split(PieceText text) => text.Split(pattern, behavior, invert);
}

/// <summary>BERT's: white space splits and goes, punctuation is isolated.</summary>
internal sealed class BertPreTokenizer : TextPreTokenizer
{
    public override void Split(PieceText text) => text.SplitPieces(0, static (_, all, piece, pieces) =>
    {
        var units = all.Units.Slice(piece.Start, piece.Length);
        var start = 0;
        for (var i = 0; i < units.Length;)
        {
            var codePoint = CodePoints.At(units, i, out var length);
            var isSpace = UnicodeSets.WhiteSpace.Contains(codePoint);
            if (isSpace || UnicodeSets.BertPunctuation.Contains(codePoint))
            {
                if (i > start)
                    pieces.Add(new Piece(piece.Start + start, i - start));
                if (!isSpace)
                    pieces.Add(new Piece(piece.Start + i, length));
                start = i + length;
            }

            i += length;
        }

        if (units.Length > start)
            pieces.Add(new Piece(piece.Start + start, units.Length - start));
    });
}

/// <summary>White space splits and goes; runs of word characters and runs of others are pieces (Rust's <c>\w+|[^\w\s]+</c>).</summary>
internal sealed class WhitespacePreTokenizer : TextPreTokenizer
{
    public override void Split(PieceText text) => text.SplitPieces(0, static (_, all, piece, pieces) =>
    {
        var units = all.Units.Slice(piece.Start, piece.Length);
        var (start, kind) = (0, Kind.Space);
        for (var i = 0; i < units.Length;)
        {
            var own = KindOf(CodePoints.At(units, i, out var length));
            if (own != kind)
            {
                if (kind != Kind.Space)
                    pieces.Add(new Piece(piece.Start + start, i - start));
                (start, kind) = (i, own);
            }

            i += length;
        }

        if (kind != Kind.Space)
            pieces.Add(new Piece(piece.Start + start, units.Length - start));
    });

    private static Kind KindOf(int codePoint) => UnicodeSets.RustWord.Contains(codePoint) ? Kind.Word
        : UnicodeSets.WhiteSpace.Contains(codePoint) ? Kind.Space
        : Kind.Other;

    private enum Kind
    {
        Space,
        Word,
        Other,
    }
}

/// <summary>Pieces of so many code points, the last one shorter.</summary>
internal sealed class FixedLengthPreTokenizer(int length) : TextPreTokenizer
{
    public override void Split(PieceText text) => text.SplitPieces(length, static (length, all, piece, pieces) =>
    {
        var (start, count) = (piece.Start, 0);
        for (var i = piece.Start; i < piece.Start + piece.Length;)
        {
            if (count++ == length)
            {
                pieces.Add(new Piece(start, i - start));
                (start, count) = (i, 1);
            }

            all.CodePointAt(i, out var units);
            i += units;
        }

        pieces.Add(new Piece(start, piece.Start + piece.Length - start));
    });
}
