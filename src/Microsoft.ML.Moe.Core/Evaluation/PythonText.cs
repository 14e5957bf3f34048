using System.Globalization;
using System.Text;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>What Python's <c>str</c> and <c>re</c> do with Unicode text, where .NET differs: published metrics are defined by it.</summary>
internal static class PythonText
{
    private const char DottedCapitalI = 'İ';
    private const char CapitalSigma = 'Σ';
    private const char CombiningDot = '\u0307';
    private const char FinalSigma = 'ς';

    /// <summary><c>str.lower()</c>: that of each character, but İ becomes two and Σ at a word's end ς.</summary>
    public static string Lower(string text)
    {
        if (text.AsSpan().IndexOfAny(DottedCapitalI, CapitalSigma) < 0)
            return text.ToLowerInvariant();
        var runes = text.EnumerateRunes().ToArray();
        var result = new StringBuilder(text.Length + 8);
        for (var i = 0; i < runes.Length; i++)
        {
            if (runes[i].Value == DottedCapitalI)
                result.Append('i').Append(CombiningDot);
            else if (runes[i].Value == CapitalSigma && IsAtEndOfWord(runes, i))
                result.Append(FinalSigma);
            else
                result.Append(Rune.ToLowerInvariant(runes[i]).ToString());
        }

        return result.ToString();
    }

    /// <summary><c>str.isspace()</c> of a character: .NET's white space and the four information separators.</summary>
    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\u001c' and <= '\u001f';

    /// <summary><c>str.split()</c>.</summary>
    public static List<string> Split(string text)
    {
        var parts = new List<string>();
        for (var i = 0; i < text.Length;)
        {
            var start = i;
            while (i < text.Length && !IsSpace(text[i]))
                i++;
            if (i > start)
                parts.Add(text[start..i]);
            else
                i++;
        }

        return parts;
    }

    /// <summary><c>str.strip()</c>.</summary>
    public static ReadOnlySpan<char> Strip(ReadOnlySpan<char> text)
    {
        while (text.Length > 0 && IsSpace(text[0]))
            text = text[1..];
        while (text.Length > 0 && IsSpace(text[^1]))
            text = text[..^1];
        return text;
    }

    /// <summary><c>\w</c>: letters, numbers of any kind and the underscore, but, other than in .NET, no combining marks.</summary>
    public static bool IsWordCharacter(Rune rune) => rune.Value == '_' || Rune.GetUnicodeCategory(rune) is
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
        or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter
        or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;

    /// <summary>
    /// <c>float(text)</c>: white space around it, digits of any script, single underscores between digits, "nan", "inf" and "infinity".
    /// </summary>
    /// <returns>The number, or null where the text is none.</returns>
    public static double? ParseFloat(string text)
    {
        var number = new StringBuilder();
        var stripped = Strip(text);
        foreach (var rune in stripped.EnumerateRunes())
            number.Append(Rune.GetUnicodeCategory(rune) == UnicodeCategory.DecimalDigitNumber
                ? ((int)Rune.GetNumericValue(rune)).ToString(CultureInfo.InvariantCulture)
                : rune.ToString());
        var plain = number.ToString();
        for (var i = 0; i < plain.Length; i++)
            if (plain[i] == '_' && !(i > 0 && i < plain.Length - 1 && char.IsAsciiDigit(plain[i - 1]) && char.IsAsciiDigit(plain[i + 1])))
                return null;
        plain = plain.Replace("_", "", StringComparison.Ordinal);
        var unsigned = plain.StartsWith('-') || plain.StartsWith('+') ? plain[1..] : plain;
        switch (unsigned.ToLowerInvariant())
        {
            case "nan":
                return double.NaN;
            case "inf" or "infinity":
                return plain[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
        }

        const NumberStyles Style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        return unsigned.Length > 0 && (char.IsAsciiDigit(unsigned[0]) || unsigned[0] == '.')
            && double.TryParse(plain, Style, CultureInfo.InvariantCulture, out var value)
            ? value
            : null;
    }

    // The Unicode condition Final_Sigma: a cased letter before, none behind, both seen through marks and the like.
    private static bool IsAtEndOfWord(Rune[] runes, int i)
    {
        var before = i - 1;
        while (before >= 0 && IsCaseIgnorable(runes[before]))
            before--;
        var behind = i + 1;
        while (behind < runes.Length && IsCaseIgnorable(runes[behind]))
            behind++;
        return before >= 0 && IsCased(runes[before]) && !(behind < runes.Length && IsCased(runes[behind]));
    }

    private static bool IsCased(Rune rune) => Rune.GetUnicodeCategory(rune) is
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
        || rune.Value is 0xaa or 0xba or (>= 0x2160 and <= 0x217f) or (>= 0x24b6 and <= 0x24e9);

    private static bool IsCaseIgnorable(Rune rune) => rune.Value is '\'' or '.' or ':' or 0xb7 or 0x2018 or 0x2019 or 0x2024 or 0x2027
        || Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format
            or UnicodeCategory.ModifierLetter or UnicodeCategory.ModifierSymbol;
}
