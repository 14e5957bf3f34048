using System.Text;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>
/// GPT-2's visible characters for bytes: printable Latin-1 ones stand for themselves, the others begin at U+0100. Source: openai/gpt-2,
/// encoder.py.
/// </summary>
internal static class ByteLevelAlphabet
{
    private static readonly char[] OfBytes = new char[256];
    private static readonly short[] BytesOf = new short[256 + 68];

    static ByteLevelAlphabet()
    {
        var others = 256;
        Array.Fill(BytesOf, (short)-1);
        for (var b = 0; b < 256; b++)
        {
            OfBytes[b] = b is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE ? (char)b : (char)others++;
            BytesOf[OfBytes[b]] = (short)b;
        }
    }

    /// <summary>What stands for the space.</summary>
    public const char Space = 'Ġ';

    /// <summary>The character that stands for a byte.</summary>
    public static char CharacterOf(byte value) => OfBytes[value];

    /// <summary>The byte that a character stands for; −1 for none.</summary>
    public static int ByteOf(char unit) => unit < BytesOf.Length ? BytesOf[unit] : -1;

    /// <summary>Appends the characters for the bytes of a code point.</summary>
    public static void Append(AlignedText target, int codePoint, int start, int end)
    {
        if (codePoint < 0x80)
        {
            target.Append(OfBytes[codePoint], start, end);
            return;
        }

        Span<byte> bytes = stackalloc byte[4];
        var count = new Rune(codePoint).EncodeToUtf8(bytes);
        foreach (var b in bytes[..count])
            target.Append(OfBytes[b], start, end);
    }
}
