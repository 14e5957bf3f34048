using System.Globalization;
using System.Text;

namespace Microsoft.ML.Moe.Reports;

/// <summary>Numbers and tokens as people read them, the same in every culture.</summary>
internal static class DisplayText
{
    /// <summary>12.3 %.</summary>
    public static string Percent(double share) => string.Create(CultureInfo.InvariantCulture, $"{share * 100:0.0} %");

    /// <summary>1,234.</summary>
    public static string Count(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>1.234.</summary>
    public static string Number(double number) => number.ToString("0.000", CultureInfo.InvariantCulture);

    /// <summary>1.23.</summary>
    public static string TwoDigits(double number) => number.ToString("0.00", CultureInfo.InvariantCulture);

    /// <summary>1.5, 2.</summary>
    public static string Short(double number) => number.ToString("0.##", CultureInfo.InvariantCulture);

    /// <summary>
    /// A token that cannot disturb what it stands in: controls, which a terminal would obey, line breaks of Unicode, and marks that turn the direction of
    /// writing become escapes; halves of surrogate pairs become replacement characters.
    /// </summary>
    public static string Token(string text)
    {
        var visible = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            if (Rune.IsControl(rune) || rune.Value is 0x2028 or 0x2029 || TurnsDirection(rune.Value))
                visible.Append(CultureInfo.InvariantCulture, $"\\u{rune.Value:x4}");
            else
                visible.Append(rune);
        }

        return visible.ToString();
    }

    private static bool TurnsDirection(int codePoint) =>
        codePoint is 0x061C or 0x200E or 0x200F or (>= 0x202A and <= 0x202E) or (>= 0x2066 and <= 0x2069);
}
