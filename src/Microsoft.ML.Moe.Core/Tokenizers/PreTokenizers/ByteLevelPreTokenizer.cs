namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>
/// GPT-2's: text is split into words with the space before them, numbers, other characters and white space, and every byte becomes one
/// visible character. Source: openai/gpt-2, encoder.py; huggingface/tokenizers, pre_tokenizers/byte_level.rs.
/// </summary>
/// <param name="addPrefixSpace">Whether a piece that does not begin with a space gets one.</param>
/// <param name="splits">Whether the text is split; false where another pre-tokenizer has done it.</param>
internal sealed class ByteLevelPreTokenizer(bool addPrefixSpace, bool splits) : TextPreTokenizer
{
    private static readonly string[] Contractions = ["s", "t", "re", "ve", "m", "ll", "d"];

    public override void Split(PieceText text)
    {
        if (addPrefixSpace)
            text.Rewrite(0, static (_, source, piece, target) =>
            {
                if (source.Units[piece.Start] != ' ')
                    target.Append(' ', source.Starts[piece.Start], source.Ends[piece.Start]);
                target.Append(source, piece.Start, piece.Length);
            });
        if (splits)
            text.SplitPieces(0, static (_, all, piece, pieces) => SplitPiece(all.Units.Slice(piece.Start, piece.Length), piece.Start,
                pieces));
        text.Rewrite(0, static (_, source, piece, target) =>
        {
            for (var i = piece.Start; i < piece.Start + piece.Length;)
            {
                ByteLevelAlphabet.Append(target, source.CodePointAt(i, out var length), source.Starts[i], source.Ends[i]);
                i += length;
            }
        });
    }

    /// <summary>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ by hand.</summary>
    private static void SplitPiece(ReadOnlySpan<char> units, int offset, List<Piece> pieces)
    {
        for (var start = 0; start < units.Length;)
        {
            var end = EndOf(units, start);
            pieces.Add(new Piece(offset + start, end - start));
            start = end;
        }
    }

    private static int EndOf(ReadOnlySpan<char> units, int start)
    {
        if (units[start] == '\'')
            foreach (var contraction in Contractions)
                if (units[(start + 1)..].StartsWith(contraction))
                    return start + 1 + contraction.Length;
        var first = start + (units[start] == ' ' && start + 1 < units.Length ? 1 : 0);
        var kind = KindOf(CodePoints.At(units, first, out _));
        if (kind == Kind.Space)
            (first, kind) = (start, Kind.Space);
        var end = first;
        while (end < units.Length && KindOf(CodePoints.At(units, end, out var length)) == kind)
            end += length;
        // white space before something else leaves its last character to that
        if (kind == Kind.Space && end < units.Length && end - start > 1)
            end--;
        return end;
    }

    private static Kind KindOf(int codePoint) => UnicodeSets.Letter.Contains(codePoint) ? Kind.Letter
        : UnicodeSets.Number.Contains(codePoint) ? Kind.Number
        : UnicodeSets.WhiteSpace.Contains(codePoint) ? Kind.Space
        : Kind.Other;

    private enum Kind
    {
        Letter,
        Number,
        Space,
        Other,
    }
}
