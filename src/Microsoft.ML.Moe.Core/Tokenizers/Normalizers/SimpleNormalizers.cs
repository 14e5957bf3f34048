namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Replaces or deletes code points one by one.</summary>
internal abstract class CodePointNormalizer : TextNormalizer
{
    public override bool Normalize(AlignedText source, AlignedText target)
    {
        target.Clear();
        for (var i = 0; i < source.Length;)
        {
            var codePoint = source.CodePointAt(i, out var length);
            AppendChanged(target, codePoint, source.Starts[i], source.Ends[i]);
            i += length;
        }

        return true;
    }

    /// <summary>Appends what becomes of a code point that stands for [start, end) of the original text.</summary>
    protected abstract void AppendChanged(AlignedText target, int codePoint, int start, int end);}

/// <summary>Lower case, code point by code point: no final sigma; İ becomes i and U+0307.</summary>
internal sealed class LowercaseNormalizer : CodePointNormalizer
{
    /// <summary>Appends a code point in lower case.</summary>
    public static void Append(AlignedText target, int codePoint, int start, int end)
    {
        if (codePoint == LowerCase.DottedCapitalI)
        {
            target.Append('i', start, end);
            target.Append(LowerCase.CombiningDot, start, end);
        }
        else
        {
            target.Append(LowerCase.Of(codePoint), start, end);
        }
    }

    protected override void AppendChanged(AlignedText target, int codePoint, int start, int end) => Append(target, codePoint, start, end);
}

/// <summary>Deletes marks: categories Mn, Mc and Me.</summary>
internal sealed class StripAccentsNormalizer : CodePointNormalizer
{
    protected override void AppendChanged(AlignedText target, int codePoint, int start, int end)
    {
        if (!UnicodeSets.Mark.Contains(codePoint))
            target.Append(codePoint, start, end);
    }
}

/// <summary>Control characters deleted, white space and zero-width characters made plain spaces, as Google's NMT does.</summary>
internal sealed class NmtNormalizer : CodePointNormalizer
{
    protected override void AppendChanged(AlignedText target, int codePoint, int start, int end)
    {
        switch (codePoint)
        {
            case >= 0x1 and <= 0x8 or 0xB or >= 0xE and <= 0x1F or 0x7F or 0x8F or 0x9F:
                return;
            case 0x9 or 0xA or 0xC or 0xD or 0x1680 or >= 0x200B and <= 0x200F or 0x2028 or 0x2029 or 0x2581 or 0xFEFF or 0xFFFD:
                target.Append(' ', start, end);
                return;
            default:
                target.Append(codePoint, start, end);
                return;
        }
    }
}

/// <summary>Every byte of the UTF-8 text becomes one visible character (GPT-2).</summary>
internal sealed class ByteLevelNormalizer : CodePointNormalizer
{
    protected override void AppendChanged(AlignedText target, int codePoint, int start, int end) =>
        ByteLevelAlphabet.Append(target, codePoint, start, end);
}

/// <summary>Strips white space at the ends.</summary>
internal sealed class StripNormalizer(bool left, bool right) : TextNormalizer
{
    public override bool Normalize(AlignedText source, AlignedText target)
    {
        var (start, end) = (0, source.Length);
        while (left && start < end && UnicodeSets.WhiteSpace.Contains(source.Units[start]))
            start++;
        while (right && end > start && UnicodeSets.WhiteSpace.Contains(source.Units[end - 1]))
            end--;
        if (end - start == source.Length)
            return false;
        target.Clear();
        target.Append(source, start, end - start);
        return true;
    }
}

/// <summary>Puts a text before another one that is not empty; it stands for the first character's part of the original.</summary>
internal sealed class PrependNormalizer(string text) : TextNormalizer
{
    public override bool Normalize(AlignedText source, AlignedText target)
    {
        if (source.Length == 0 || text.Length == 0)
            return false;
        target.Clear();
        foreach (var unit in text)
            target.Append(unit, source.Starts[0], source.Ends[0]);
        target.Append(source, 0, source.Length);
        return true;
    }
}

/// <summary>Replaces all matches of a pattern; what replaces one stands for the last character's part of the original.</summary>
internal sealed class ReplaceNormalizer(TextPattern pattern, string content) : TextNormalizer
{
    public override bool Normalize(AlignedText source, AlignedText target)
    {
        var matches = new List<PatternMatch>();
        pattern.FindMatches(source.Units, matches);
        if (matches.Count == 0)
            return false;
        target.Clear();
        var last = 0;
        foreach (var (start, end) in matches)
        {
            target.Append(source, last, start - last);
            foreach (var unit in content)
                target.Append(unit, end == 0 ? 0 : source.Starts[end - 1], end == 0 ? 0 : source.Ends[end - 1]);
            last = end;
        }

        target.Append(source, last, source.Length - last);
        return true;
    }
}
