namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>
/// Bounds what a tokenizer's parts make of a text. Each of them may well double it, and a file can list any number of them: thirty lines
/// would make gigabytes of a word.
/// </summary>
internal static class TextGrowth
{
    /// <summary>Never too much, however short the text.</summary>
    private const int Always = 1 << 12;

    /// <summary>More than the normal forms of Unicode (18) and bytes as letters (4) give.</summary>
    private const int Most = 128;

    /// <summary>Checks a length.</summary>
    /// <param name="before">What the text had.</param>
    /// <param name="now">What it has, or is to have.</param>
    /// <exception cref="InvalidDataException">It is too much.</exception>
    public static void Check(long before, long now)
    {
        if (now > Always && now / Most > before)
        {
            throw new InvalidDataException(
                $"The tokenizer makes {now} of a text of {before}: its file lists parts that no text is to go through.");
        }
    }
}
