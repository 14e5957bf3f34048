namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>
/// Splits where the script changes; kana and ー count as Han, and spaces belong to what is before them. What stands before the first
/// character with a script is lost, as in the source: huggingface/tokenizers, pre_tokenizers/unicode_scripts.
/// </summary>
internal sealed class UnicodeScriptsPreTokenizer : TextPreTokenizer
{
    private const int NoScript = -1;
    private static readonly int Han = UnicodeScripts.OfUnicode9('一');
    private static readonly int Hiragana = UnicodeScripts.OfUnicode9('あ');
    private static readonly int Katakana = UnicodeScripts.OfUnicode9('ア');

    public override void Split(PieceText text) => text.SplitPieces(0, static (_, all, piece, pieces) =>
    {
        var (start, last) = (-1, NoScript);
        for (var i = piece.Start; i < piece.Start + piece.Length;)
        {
            var script = ScriptOf(all.CodePointAt(i, out var length));
            if (script != NoScript && script != last)
            {
                if (start >= 0)
                    pieces.Add(new Piece(start, i - start));
                (start, last) = (i, script);
            }

            i += length;
        }

        if (start >= 0)
            pieces.Add(new Piece(start, piece.Start + piece.Length - start));
    });

    private static int ScriptOf(int codePoint)
    {
        if (codePoint == ' ')
            return NoScript;
        var script = codePoint == 'ー' ? Han : UnicodeScripts.OfUnicode9(codePoint);
        return script == Hiragana || script == Katakana ? Han : script;
    }
}
