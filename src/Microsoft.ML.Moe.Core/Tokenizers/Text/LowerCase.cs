using System.Text;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Lower case of single code points, whatever stands around them, as Unicode 17's UnicodeData has it.</summary>
internal static class LowerCase
{
    /// <summary>U+0130, the one code point that becomes two: <c>i</c> and <see cref="CombiningDot"/>.</summary>
    public const int DottedCapitalI = 0x130;

    /// <summary>U+0307.</summary>
    public const int CombiningDot = 0x307;

    /// <summary>Lower case of a code point other than <see cref="DottedCapitalI"/>.</summary>
    public static int Of(int codePoint)
    {
        if (codePoint < 0x80)
            return (uint)(codePoint - 'A') < 26 ? codePoint | 0x20 : codePoint;
        var lower = Rune.ToLowerInvariant(new Rune(codePoint)).Value;
        return lower != codePoint ? lower : Later(codePoint);
    }

    /// <summary>Capitals that .NET's casing does not know.</summary>
    private static int Later(int codePoint) => codePoint switch
    {
        0x1C89 or 0xA7CC or 0xA7CE or 0xA7D2 or 0xA7D4 or 0xA7DA => codePoint + 1,
        0xA7CB => 0x264,
        0xA7DC => 0x19B,
        >= 0x10D50 and <= 0x10D65 => codePoint + 0x20,
        >= 0x16EA0 and <= 0x16EB8 => codePoint + 0x1B,
        _ => codePoint,
    };
}
