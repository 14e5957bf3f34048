using System.Globalization;
using System.Text;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.Offline;

internal static class Normalizers
{
    internal static Normalizer Bert(BertOptions options) => new BertNormalizer(options);
}

/// <summary>Lower-cases, drops control characters and accents, and sets Chinese characters apart.</summary>
file sealed class BertNormalizer(BertOptions options) : Normalizer
{
    private static readonly (int First, int Last)[] s_cjk =
    [
        (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
        (0x2B820, 0x2CEAF), (0x2F800, 0x2FA1F),
    ];

    public override string Normalize(ReadOnlySpan<char> original) => Normalize(original.ToString());

    public override string Normalize(string original)
    {
        if (string.IsNullOrEmpty(original))
            return "";
        if (options.RemoveNonSpacingMarks)
            original = original.Normalize(NormalizationForm.FormD);
        var result = new StringBuilder(original.Length);
        for (int i = 0, length; i < original.Length; i += length)
        {
            length = char.IsSurrogatePair(original, i) ? 2 : 1;
            var character = original.AsSpan(i, length);
            var category = CharUnicodeInfo.GetUnicodeCategory(original, i);
            if (character[0] is '\0' or '\uFFFD' || category == UnicodeCategory.Control ||
                category == UnicodeCategory.NonSpacingMark && options.RemoveNonSpacingMarks)
                continue;
            if (category == UnicodeCategory.SpaceSeparator)
                result.Append(' ');
            else if (category == UnicodeCategory.UppercaseLetter && options.LowerCaseBeforeTokenization)
                result.Append(original.Substring(i, length).ToLowerInvariant());
            else if (options.IndividuallyTokenizeCjk && IsCjk(length == 2 ? char.ConvertToUtf32(original, i) : original[i]))
                result.Append(' ').Append(character).Append(' ');
            else
                result.Append(character);
        }

        return result.ToString().Normalize(NormalizationForm.FormC);
    }

    private static bool IsCjk(int character) => s_cjk.Any(range => character >= range.First && character <= range.Last);
}
