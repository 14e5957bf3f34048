using System.Globalization;
using static System.Globalization.UnicodeCategory;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Named classes of code points in Oniguruma's syntax, by Unicode 16.</summary>
internal static class PatternClasses
{
    /// <summary>Marks that are alphabetic: Unicode's Other_Alphabetic of category M.</summary>
    private static readonly CodePointRanges AlphabeticMarks = new(
        "345 363-36F 5B0-5BD 5BF 5C1-5C2 5C4-5C5 5C7 610-61A 64B-657 659-65F 670 6D6-6DC 6E1-6E4 6E7-6E8 6ED 711 730-73F "
        + "7A6-7B0 816-817 81B-823 825-827 829-82C 897 8D4-8DF 8E3-8E9 8F0-903 93A-93B 93E-94C 94E-94F 955-957 962-963 981-983 "
        + "9BE-9C4 9C7-9C8 9CB-9CC 9D7 9E2-9E3 A01-A03 A3E-A42 A47-A48 A4B-A4C A51 A70-A71 A75 A81-A83 ABE-AC5 AC7-AC9 ACB-ACC "
        + "AE2-AE3 AFA-AFC B01-B03 B3E-B44 B47-B48 B4B-B4C B56-B57 B62-B63 B82 BBE-BC2 BC6-BC8 BCA-BCC BD7 C00-C04 C3E-C44 "
        + "C46-C48 C4A-C4C C55-C56 C62-C63 C81-C83 CBE-CC4 CC6-CC8 CCA-CCC CD5-CD6 CE2-CE3 CF3 D00-D03 D3E-D44 D46-D48 D4A-D4C "
        + "D57 D62-D63 D81-D83 DCF-DD4 DD6 DD8-DDF DF2-DF3 E31 E34-E3A E4D EB1 EB4-EB9 EBB-EBC ECD F71-F83 F8D-F97 F99-FBC "
        + "102B-1036 1038 103B-103E 1056-1059 105E-1060 1062-1064 1067-106D 1071-1074 1082-108D 108F 109A-109D 1712-1713 "
        + "1732-1733 1752-1753 1772-1773 17B6-17C8 1885-1886 18A9 1920-192B 1930-1938 1A17-1A1B 1A55-1A5E 1A61-1A74 1ABF-1AC0 "
        + "1ACC-1ACE 1B00-1B04 1B35-1B43 1B80-1B82 1BA1-1BA9 1BAC-1BAD 1BE7-1BF1 1C24-1C36 1DD3-1DF4 2DE0-2DFF A674-A67B "
        + "A69E-A69F A802 A80B A823-A827 A880-A881 A8B4-A8C3 A8C5 A8FF A926-A92A A947-A952 A980-A983 A9B4-A9BF A9E5 AA29-AA36 "
        + "AA43 AA4C-AA4D AA7B-AA7D AAB0 AAB2-AAB4 AAB7-AAB8 AABE AAEB-AAEF AAF5 ABE3-ABEA FB1E 10376-1037A 10A01-10A03 "
        + "10A05-10A06 10A0C-10A0F 10D24-10D27 10D69 10EAB-10EAC 10EFC 11000-11002 11038-11045 11073-11074 11080-11082 "
        + "110B0-110B8 110C2 11100-11102 11127-11132 11145-11146 11180-11182 111B3-111BF 111CE-111CF 1122C-11234 11237 1123E "
        + "11241 112DF-112E8 11300-11303 1133E-11344 11347-11348 1134B-1134C 11357 11362-11363 113B8-113C0 113C2 113C5 "
        + "113C7-113CA 113CC-113CD 11435-11441 11443-11445 114B0-114C1 115AF-115B5 115B8-115BE 115DC-115DD 11630-1163E 11640 "
        + "116AB-116B5 1171D-1172A 1182C-11838 11930-11935 11937-11938 1193B-1193C 11940 11942 119D1-119D7 119DA-119DF 119E4 "
        + "11A01-11A0A 11A35-11A39 11A3B-11A3E 11A51-11A5B 11A8A-11A97 11C2F-11C36 11C38-11C3E 11C92-11CA7 11CA9-11CB6 "
        + "11D31-11D36 11D3A 11D3C-11D3D 11D3F-11D41 11D43 11D47 11D8A-11D8E 11D90-11D91 11D93-11D96 11EF3-11EF6 11F00-11F01 "
        + "11F03 11F34-11F3A 11F3E-11F40 1611E-1612E 16F4F 16F51-16F87 16F8F-16F92 16FF0-16FF1 1BC9E 1E000-1E006 1E008-1E018 "
        + "1E01B-1E021 1E023-1E024 1E026-1E02A 1E08F 1E947");

    private static readonly CodePointRanges CircledLetters = new("24B6-24E9 1F130-1F149 1F150-1F169 1F170-1F189");
    private static readonly CodePointRanges OtherUpper = new("2160-216F 24B6-24CF 1F130-1F149 1F150-1F169 1F170-1F189");

    private static readonly CodePointRanges OtherLower = new(
        "AA BA 2B0-2B8 2C0-2C1 2E0-2E4 345 37A 10FC 1D2C-1D6A 1D78 1D9B-1DBF 2071 207F 2090-209C 2170-217F 24D0-24E9 2C7C-2C7D A69C-A69D "
        + "A770 A7F2-A7F4 A7F8-A7F9 AB5C-AB5F AB69 10780 10783-10785 10787-107B0 107B2-107BA 1E030-1E06D");

    private static readonly int Letters =
        CodePointSet.CategoryMask(UppercaseLetter, LowercaseLetter, TitlecaseLetter, ModifierLetter, OtherLetter);

    private static readonly int WordCategories =
        Letters | CodePointSet.CategoryMask(NonSpacingMark, SpacingCombiningMark, EnclosingMark, DecimalDigitNumber, LetterNumber,
            ConnectorPunctuation);

    private static readonly int Punctuation = CodePointSet.CategoryMask(
        ConnectorPunctuation, DashPunctuation, OpenPunctuation, ClosePunctuation, InitialQuotePunctuation, FinalQuotePunctuation,
        OtherPunctuation);

    private static readonly int Symbols = CodePointSet.CategoryMask(MathSymbol, CurrencySymbol, ModifierSymbol, OtherSymbol);
    private static readonly int NotPrinted = CodePointSet.CategoryMask(Control, Surrogate, OtherNotAssigned, LineSeparator,
        ParagraphSeparator);
    private static readonly int NotDrawn = NotPrinted | CodePointSet.CategoryMask(SpaceSeparator);

    /// <summary>What \w is: Latin-1's ² ³ ¹ ¼ ½ ¾ are among it, other numbers are not.</summary>
    public static bool IsWord(int c) => IsBracketWord(c) || c is 0xB2 or 0xB3 or 0xB9 or >= 0xBC and <= 0xBE;

    /// <summary>A class written as a backslash and a letter; null for another letter.</summary>
    /// <param name="letter">The letter.</param>
    /// <param name="isInSet">Whether it stands in a set, where \w leaves ² and its like out.</param>
    public static Func<int, bool>? OfEscape(char letter, bool isInSet) => letter switch
    {
        's' => IsSpace,
        'S' => c => !IsSpace(c),
        'd' => IsDigit,
        'D' => c => !IsDigit(c),
        'w' when isInSet => IsBracketWord,
        'W' when isInSet => c => !IsBracketWord(c),
        'w' => IsWord,
        'W' => c => !IsWord(c),
        'h' => IsHexadecimal,
        'H' => c => !IsHexadecimal(c),
        _ => null,
    };

    /// <summary>A class written in brackets: [:alpha:].</summary>
    public static Func<int, bool>? OfBracket(string name) => name switch
    {
        "alpha" => IsAlphabetic,
        "alnum" => c => IsAlphabetic(c) || IsDigit(c),
        "punct" => c => CodePointSet.IsOf(c, Punctuation | Symbols),
        "space" => IsSpace,
        "digit" => IsDigit,
        "word" => IsBracketWord,
        "upper" => c => Is(c, UppercaseLetter) || OtherUpper.Contains(c),
        "lower" => c => Is(c, LowercaseLetter) || OtherLower.Contains(c),
        "cntrl" => c => Is(c, Control),
        "graph" => c => !CodePointSet.IsOf(c, NotDrawn),
        "print" => c => !CodePointSet.IsOf(c, NotPrinted),
        "blank" => c => c == '\t' || Is(c, SpaceSeparator),
        "xdigit" => IsHexadecimal,
        "ascii" => c => c < 0x80,
        _ => null,
    };

    /// <summary>A property by its name, whatever its case, spaces, hyphens and underscores; null for an unknown one.</summary>
    public static Func<int, bool>? OfProperty(string name)
    {
        var plain = string.Concat(name.Where(c => c is not (' ' or '-' or '_'))).ToLowerInvariant();
        if (plain.StartsWith("is", StringComparison.Ordinal) && UnicodeScripts.Find(plain[2..]) is { } written)
            return written;
        if (CategoriesOf(plain) is var mask and not 0)
            return c => CodePointSet.IsOf(c, mask);
        return plain switch
        {
            "any" => _ => true,
            "assigned" => c => !Is(c, OtherNotAssigned),
            "l&" or "lc" => c => CodePointSet.IsOf(c, CodePointSet.CategoryMask(UppercaseLetter, LowercaseLetter, TitlecaseLetter)),
            "alphabetic" => IsAlphabetic,
            "uppercase" => OfBracket("upper"),
            "lowercase" => OfBracket("lower"),
            "whitespace" => IsSpace,
            "punct" => c => CodePointSet.IsOf(c, Punctuation),
            _ => OfBracket(plain) ?? UnicodeScripts.Find(plain),
        };
    }

    private static bool IsSpace(int c) => UnicodeSets.WhiteSpace.Contains(c);

    private static bool IsDigit(int c) => Is(c, DecimalDigitNumber);

    private static bool IsHexadecimal(int c) => c < 0x80 && char.IsAsciiHexDigit((char)c);

    private static bool IsBracketWord(int c) => CodePointSet.IsOf(c, WordCategories) || CircledLetters.Contains(c);

    private static bool IsAlphabetic(int c) =>
        CodePointSet.IsOf(c, Letters) || Is(c, LetterNumber) || CircledLetters.Contains(c) || AlphabeticMarks.Contains(c);

    private static bool Is(int c, UnicodeCategory category) => CharUnicodeInfo.GetUnicodeCategory(c) == category;

    /// <summary>General categories by their short or long name; 0 for none.</summary>
    private static int CategoriesOf(string name) => name switch
    {
        "l" or "letter" => Letters,
        "lu" or "uppercaseletter" => CodePointSet.CategoryMask(UppercaseLetter),
        "ll" or "lowercaseletter" => CodePointSet.CategoryMask(LowercaseLetter),
        "lt" or "titlecaseletter" => CodePointSet.CategoryMask(TitlecaseLetter),
        "lm" or "modifierletter" => CodePointSet.CategoryMask(ModifierLetter),
        "lo" or "otherletter" => CodePointSet.CategoryMask(OtherLetter),
        "m" or "mark" => CodePointSet.CategoryMask(NonSpacingMark, SpacingCombiningMark, EnclosingMark),
        "mn" or "nonspacingmark" => CodePointSet.CategoryMask(NonSpacingMark),
        "mc" or "spacingmark" => CodePointSet.CategoryMask(SpacingCombiningMark),
        "me" or "enclosingmark" => CodePointSet.CategoryMask(EnclosingMark),
        "n" or "number" => CodePointSet.CategoryMask(DecimalDigitNumber, LetterNumber, OtherNumber),
        "nd" or "decimalnumber" => CodePointSet.CategoryMask(DecimalDigitNumber),
        "nl" or "letternumber" => CodePointSet.CategoryMask(LetterNumber),
        "no" or "othernumber" => CodePointSet.CategoryMask(OtherNumber),
        "p" or "punctuation" => Punctuation,
        "pc" or "connectorpunctuation" => CodePointSet.CategoryMask(ConnectorPunctuation),
        "pd" or "dashpunctuation" => CodePointSet.CategoryMask(DashPunctuation),
        "ps" or "openpunctuation" => CodePointSet.CategoryMask(OpenPunctuation),
        "pe" or "closepunctuation" => CodePointSet.CategoryMask(ClosePunctuation),
        "pi" or "initialpunctuation" => CodePointSet.CategoryMask(InitialQuotePunctuation),
        "pf" or "finalpunctuation" => CodePointSet.CategoryMask(FinalQuotePunctuation),
        "po" or "otherpunctuation" => CodePointSet.CategoryMask(OtherPunctuation),
        "s" or "symbol" => Symbols,
        "sm" or "mathsymbol" => CodePointSet.CategoryMask(MathSymbol),
        "sc" or "currencysymbol" => CodePointSet.CategoryMask(CurrencySymbol),
        "sk" or "modifiersymbol" => CodePointSet.CategoryMask(ModifierSymbol),
        "so" or "othersymbol" => CodePointSet.CategoryMask(OtherSymbol),
        "z" or "separator" => CodePointSet.CategoryMask(SpaceSeparator, LineSeparator, ParagraphSeparator),
        "zs" or "spaceseparator" => CodePointSet.CategoryMask(SpaceSeparator),
        "zl" or "lineseparator" => CodePointSet.CategoryMask(LineSeparator),
        "zp" or "paragraphseparator" => CodePointSet.CategoryMask(ParagraphSeparator),
        "c" or "other" => CodePointSet.CategoryMask(Control, Format, Surrogate, PrivateUse, OtherNotAssigned),
        "cc" or "control" => CodePointSet.CategoryMask(Control),
        "cf" or "format" => CodePointSet.CategoryMask(Format),
        "cs" or "surrogate" => CodePointSet.CategoryMask(Surrogate),
        "co" or "privateuse" => CodePointSet.CategoryMask(PrivateUse),
        "cn" or "unassigned" => CodePointSet.CategoryMask(OtherNotAssigned),
        _ => 0,
    };
}
