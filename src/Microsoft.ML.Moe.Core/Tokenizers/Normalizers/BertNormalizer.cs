using System.Text;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>
/// BERT's normalization: white space made plain and control characters deleted, spaces around Chinese characters, accents stripped, lower
/// case, in that order. Source: huggingface/tokenizers, normalizers/bert.rs.
/// </summary>
internal sealed class BertNormalizer(bool cleanText, bool spacesAroundChinese, bool stripsAccents, bool lowercase) : TextNormalizer
{
    private static readonly UnicodeFormNormalizer Decomposition = new(NormalizationForm.FormD);

    public override bool Normalize(AlignedText source, AlignedText target)
    {
        if (System.Text.Ascii.IsValid(source.Units))
            return NormalizeAscii(source, target);
        Clean(source, target);
        if (!stripsAccents)
        {
            if (lowercase)
                LowercaseInto(target, Copy(target));
            return true;
        }

        var decomposed = new AlignedText();
        var parts = Decomposition.Normalize(target, decomposed) ? decomposed : Copy(target);
        target.Clear();
        for (var i = 0; i < parts.Length;)
        {
            var codePoint = parts.CodePointAt(i, out var length);
            if (!UnicodeSets.BertAccent.Contains(codePoint))
                AppendLower(target, codePoint, parts.Starts[i], parts.Ends[i]);
            i += length;
        }

        return true;
    }

    private static AlignedText Copy(AlignedText text)
    {
        var copy = new AlignedText();
        copy.Append(text, 0, text.Length);
        return copy;
    }

    /// <summary>CJK ideographs as the tokenizer knows them; U+2B820–2B91F are not among them.</summary>
    private static bool IsChinese(int c) => c is >= 0x3400 and <= 0x4DBF or >= 0x4E00 and <= 0x9FFF or >= 0xF900 and <= 0xFAFF
        or >= 0x20000 and <= 0x2A6DF or >= 0x2A700 and <= 0x2B73F or >= 0x2B740 and <= 0x2B81F or >= 0x2B920 and <= 0x2CEAF
        or >= 0x2F800 and <= 0x2FA1F;

    private bool NormalizeAscii(AlignedText source, AlignedText target)
    {
        target.Clear();
        var units = source.Units;
        for (var i = 0; i < units.Length; i++)
        {
            var unit = units[i];
            if (cleanText)
            {
                if (unit is '\t' or '\n' or '\r')
                    unit = ' ';
                else if (unit < ' ' || unit == '\u007F')
                    continue;
            }

            if (lowercase && (uint)(unit - 'A') < 26)
                unit |= ' ';
            target.Append(unit, source.Starts[i], source.Ends[i]);
        }

        return true;
    }

    private void Clean(AlignedText source, AlignedText target)
    {
        target.Clear();
        for (var i = 0; i < source.Length;)
        {
            var codePoint = source.CodePointAt(i, out var length);
            var (start, end) = (source.Starts[i], source.Ends[i]);
            i += length;
            if (cleanText)
            {
                if (UnicodeSets.BertDeleted.Contains(codePoint))
                    continue;
                if (UnicodeSets.WhiteSpace.Contains(codePoint))
                    codePoint = ' ';
            }

            var isChinese = spacesAroundChinese && IsChinese(codePoint);
            if (isChinese)
                target.Append(' ', start, end);
            target.Append(codePoint, start, end);
            if (isChinese)
                target.Append(' ', start, end);
        }
    }

    private void AppendLower(AlignedText target, int codePoint, int start, int end)
    {
        if (!lowercase)
            target.Append(codePoint, start, end);
        else
            LowercaseNormalizer.Append(target, codePoint, start, end);
    }

    private static void LowercaseInto(AlignedText target, AlignedText source)
    {
        target.Clear();
        for (var i = 0; i < source.Length;)
        {
            var codePoint = source.CodePointAt(i, out var length);
            LowercaseNormalizer.Append(target, codePoint, source.Starts[i], source.Ends[i]);
            i += length;
        }
    }
}
