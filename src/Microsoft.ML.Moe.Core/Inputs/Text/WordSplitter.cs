using System.Globalization;
using System.Text;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>
/// Splits any Unicode text into words and single symbols: a word is a run of letters, digits and marks; an ideograph (scripts that
/// write without spaces) and every other visible character is a token of its own; white space and controls separate.
/// </summary>
internal static class WordSplitter
{
    /// <summary>Longest word in UTF-16 units; longer runs are split there, so that no input costs more than its length.</summary>
    private const int MaximumWordLength = 64;

    /// <summary>Of the characters that most texts are made of.</summary>
    private static readonly Kind[] AsciiKinds = [.. Enumerable.Range(0, 128).Select(i => KindOf(new Rune(i)))];

    /// <summary>Calls back for each token in order.</summary>
    /// <param name="text">The text.</param>
    /// <param name="words">Receives the tokens as ranges of <paramref name="text"/>.</param>
    /// <param name="limit">Tokens to collect; the rest is only counted.</param>
    /// <returns>Number of tokens in the text.</returns>
    public static int Split(ReadOnlySpan<char> text, List<Range> words, int limit)
    {
        var count = 0;
        var start = -1;
        var position = 0;
        while (position < text.Length)
        {
            var (kind, length) = (Kind.Separator, 1);
            if (text[position] < AsciiKinds.Length)
            {
                kind = AsciiKinds[text[position]];
            }
            else
            {
                Rune.DecodeFromUtf16(text[position..], out var rune, out length);
                kind = KindOf(rune);
            }

            if (start >= 0 && (kind != Kind.WordPart || position - start >= MaximumWordLength))
            {
                Emit(start..position);
                start = -1;
            }

            if (kind == Kind.WordPart && start < 0)
                start = position;
            else if (kind == Kind.Symbol)
                Emit(position..(position + length));
            position += length;
        }

        if (start >= 0)
            Emit(start..position);
        return count;

        void Emit(Range range)
        {
            if (count++ < limit)
                words.Add(range);
        }
    }

    /// <summary>Whether the end of a text and the beginning of another would be one word if the one followed the other.</summary>
    public static bool RunTogether(ReadOnlySpan<char> first, ReadOnlySpan<char> second)
    {
        Rune.DecodeLastFromUtf16(first, out var end, out _);
        Rune.DecodeFromUtf16(second, out var start, out _);
        return KindOf(end) == Kind.WordPart && KindOf(start) == Kind.WordPart;
    }

    private enum Kind
    {
        Separator,
        WordPart,
        Symbol,
    }

    private static Kind KindOf(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.OtherLetter => WritesWithoutSpaces(rune.Value) ? Kind.Symbol : Kind.WordPart,
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
            or UnicodeCategory.ModifierLetter or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber
            or UnicodeCategory.OtherNumber or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark
            or UnicodeCategory.EnclosingMark => Kind.WordPart,
        UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
            or UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate => Kind.Separator,
        _ => Kind.Symbol,
    };

    /// <summary>Han, Hiragana, Katakana, Thai, Lao, Khmer, Myanmar: no spaces between words.</summary>
    private static bool WritesWithoutSpaces(int codePoint) => codePoint is
        (>= 0x0E00 and <= 0x0EFF) or (>= 0x1000 and <= 0x109F) or (>= 0x1780 and <= 0x17FF)
        or (>= 0x3040 and <= 0x30FF) or (>= 0x3400 and <= 0x9FFF) or (>= 0xF900 and <= 0xFAFF)
        or (>= 0x20000 and <= 0x3FFFF);
}
