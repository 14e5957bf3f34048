namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>When <see cref="MetaspacePreTokenizer"/> puts its mark before a piece.</summary>
internal enum PrependScheme
{
    Always,
    First,
    Never,
}

/// <summary>
/// SentencePiece's way with spaces: each becomes a visible mark, one is put in front, and every mark begins a piece. Source:
/// huggingface/tokenizers, pre_tokenizers/metaspace.rs.
/// </summary>
/// <param name="mark">The mark, U+2581 as a rule.</param>
/// <param name="scheme">Whether a piece that does not begin with the mark gets one.</param>
/// <param name="splits">Whether marks begin pieces.</param>
internal sealed class MetaspacePreTokenizer(string mark, PrependScheme scheme, bool splits) : TextPreTokenizer
{
    private readonly LiteralPattern _marks = new(mark);

    public override void Split(PieceText text)
    {
        text.Rewrite(this, static (self, source, piece, target) => self.Rewrite(source, piece, target));
        if (splits)
            text.Split(_marks, SplitBehavior.MergedWithNext, invert: false);
    }

    private void Rewrite(AlignedText source, Piece piece, AlignedText target)
    {
        var units = source.Units.Slice(piece.Start, piece.Length);
        var begins = units[0] == ' ' || units.StartsWith(mark);
        if (!begins && (scheme == PrependScheme.Always || (scheme == PrependScheme.First && source.Starts[piece.Start] == 0)))
            AppendMark(target, source, piece.Start);
        for (var i = piece.Start; i < piece.Start + piece.Length; i++)
        {
            if (source.Units[i] == ' ')
                AppendMark(target, source, i);
            else
                target.Append(source.Units[i], source.Starts[i], source.Ends[i]);
        }
    }

    private void AppendMark(AlignedText target, AlignedText source, int index)
    {
        foreach (var unit in mark)
            target.Append(unit, source.Starts[index], source.Ends[index]);
    }
}
