using System.Text;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Code points of UTF-16 text without halves of surrogate pairs.</summary>
internal static class CodePoints
{
    /// <summary>The code point at an index, and its number of units.</summary>
    public static int At(ReadOnlySpan<char> text, int index, out int length)
    {
        var unit = text[index];
        if (char.IsHighSurrogate(unit) && index + 1 < text.Length && char.IsLowSurrogate(text[index + 1]))
        {
            length = 2;
            return char.ConvertToUtf32(unit, text[index + 1]);
        }

        length = 1;
        return unit;
    }

    /// <summary>The code point that ends before an index, and its number of units.</summary>
    public static int Before(ReadOnlySpan<char> text, int index, out int length)
    {
        var unit = text[index - 1];
        if (char.IsLowSurrogate(unit) && index > 1 && char.IsHighSurrogate(text[index - 2]))
        {
            length = 2;
            return char.ConvertToUtf32(text[index - 2], unit);
        }

        length = 1;
        return unit;
    }

    /// <summary>Number of code points.</summary>
    public static int Count(ReadOnlySpan<char> text)
    {
        var count = text.Length;
        foreach (var unit in text)
            if (char.IsLowSurrogate(unit))
                count--;
        return count;
    }

    /// <summary>Bytes of a code point in UTF-8.</summary>
    public static int Utf8Length(int codePoint) => codePoint switch
    {
        < 0x80 => 1,
        < 0x800 => 2,
        < 0x10000 => 3,
        _ => 4,
    };

    /// <summary>A text with halves of surrogate pairs replaced by U+FFFD.</summary>
    public static string Repair(string text)
    {
        var repaired = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
            repaired.Append(rune);
        return repaired.ToString();
    }
}
