using System.Text;

namespace Microsoft.ML.Moe.Tests.Tokenizers;

/// <summary>
/// Texts of every script, from a seed: code points of all blocks, words of one block, white space of all kinds, marks in heaps, emoji,
/// special tokens, long words, numbers, and English with everything thrown in.
/// </summary>
internal sealed class RandomTexts(int seed, IReadOnlyList<string> tokens)
{
    private static readonly string[] Words =
    [
        "the", "river", "Experts", "ROUTER", "café", "naïve", "Straße", "don't", "they're", "x86_64", "e-mail", "3.14", "中文", "日本語",
        "한국어", "Привет", "שלום", "مرحبا", "नमस्ते", "ไทย", "ﬁne", "ｆｕｌｌ", "İstanbul", "ΣΑΣ", "Å", "e\u0301\u0323", "\u1100\u1161\u11A8",
    ];

    private static readonly int[] Spaces =
        [0x20, 0x20, 0x20, 0x9, 0xA, 0xD, 0xB, 0xC, 0x1C, 0x85, 0xA0, 0x1680, 0x2003, 0x200B, 0x200D, 0x2028, 0x2029, 0x202F, 0x3000,
            0xFEFF, 0x2581];

    private static readonly int[] Emoji = [0x1F600, 0x1F44D, 0x1F3FD, 0x200D, 0xFE0F, 0x1F469, 0x1F1E9, 0x1F1EA, 0x2764, 0x1F9D1, 0x20E3,
        0x23, 0x31];

    /// <summary>Where the interesting blocks begin and end: marks, Latin, Indic, Hangul, CJK, compatibility forms, later planes.</summary>
    private static readonly (int First, int Last)[] Blocks =
    [
        (0x1, 0x7F), (0x80, 0x24F), (0x250, 0x36F), (0x370, 0x52F), (0x530, 0x6FF), (0x700, 0x8FF), (0x900, 0xDFF), (0xE00, 0x10FF),
        (0x1100, 0x11FF), (0x1200, 0x1BFF), (0x1C00, 0x1FFF), (0x2000, 0x2BFF), (0x2C00, 0x30FF), (0x3100, 0x33FF), (0x3400, 0x9FFF),
        (0xA000, 0xABFF), (0xAC00, 0xD7FF), (0xE000, 0xF8FF), (0xF900, 0xFAFF), (0xFB00, 0xFFFF), (0x10000, 0x11FFF), (0x12000, 0x16FFF),
        (0x17000, 0x1CFFF), (0x1D000, 0x1D7FF), (0x1D800, 0x1EFFF), (0x1F000, 0x1FBFF), (0x20000, 0x323AF), (0xE0000, 0xE01EF), (0x0,
            0x10FFFF),
    ];

    private readonly Random _random = new(seed);

    /// <summary>The next text.</summary>
    public string Next()
    {
        var text = new StringBuilder();
        switch (_random.Next(10))
        {
            case 0:
                for (var i = _random.Next(1, 12); i > 0; i--)
                    Append(text, CodePointOf(Blocks[_random.Next(Blocks.Length)]));
                break;
            case 1 or 2:
                var block = Blocks[_random.Next(Blocks.Length)];
                for (var i = _random.Next(1, 24); i > 0; i--)
                    Append(text, _random.Next(5) == 0 ? Spaces[_random.Next(4)] : CodePointOf(block));
                break;
            case 3:
                for (var i = _random.Next(1, 6); i > 0; i--)
                {
                    Append(text, CodePointOf(Blocks[_random.Next(12)]));
                    for (var marks = _random.Next(4); marks > 0; marks--)
                        Append(text, _random.Next(0x300, 0x370));
                }

                break;
            case 4:
                for (var i = _random.Next(1, 14); i > 0; i--)
                    Append(text, _random.Next(3) == 0 ? CodePointOf((0x21, 0x7E)) : Spaces[_random.Next(Spaces.Length)]);
                break;
            case 5:
                for (var i = _random.Next(1, 8); i > 0; i--)
                    Append(text, Emoji[_random.Next(Emoji.Length)]);
                break;
            case 6:
                for (var i = _random.Next(1, 5); i > 0; i--)
                    text.Append(_random.Next(2) == 0 ? Words[_random.Next(Words.Length)] : tokens[_random.Next(tokens.Count)])
                        .Append(_random.Next(3) switch
                        {
                            0 => " ",
                            1 => "",
                            _ => "  ",
                        });
                break;
            case 7 when _random.Next(8) == 0:
                text.Append(new string((char)_random.Next('a', 'z' + 1), _random.Next(80, 220)));
                break;
            default:
                for (var i = _random.Next(1, 9); i > 0; i--)
                {
                    text.Append(Words[_random.Next(Words.Length)]);
                    Append(text, Spaces[_random.Next(_random.Next(4) == 0 ? Spaces.Length : 3)]);
                    if (_random.Next(6) == 0)
                        Append(text, CodePointOf(Blocks[_random.Next(Blocks.Length)]));
                    if (_random.Next(6) == 0)
                        text.Append(_random.Next(100_000));
                }

                break;
        }

        return text.ToString();
    }

    private static void Append(StringBuilder text, int codePoint) => text.Append(new Rune(codePoint));

    private int CodePointOf((int First, int Last) block)
    {
        // U+0000 ends a text on its way into the native library
        while (true)
            if (_random.Next(block.First, block.Last + 1) is var codePoint and not 0 and (< 0xD800 or > 0xDFFF))
                return codePoint;
    }
}
