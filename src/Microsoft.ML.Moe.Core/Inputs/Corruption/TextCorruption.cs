namespace Microsoft.ML.Moe;

/// <summary>
/// How texts are corrupted: words dropped, replaced by others, and swapped with their neighbour, each by a share, at random. For measuring
/// what a method makes of noisy data, as USMoE (arXiv 2503.22996) does.
/// </summary>
/// <remarks>
/// Words are runs of letters, digits and marks of any script; an ideograph and every other visible character is one by itself. A word
/// meets at most one of the three fates, and each word of a text is as likely as any other. Of n words ⌊n·share⌋ or ⌈n·share⌉ are dropped,
/// so often the one and the other that the mean is n·share; of those replaced and swapped the same. A text keeps one word at least. What
/// stands between words stays as it is, but for the space before a dropped word, and for a space where two words would run together.
/// </remarks>
/// <example>
/// <code language="csharp"><![CDATA[
/// var corruption = new TextCorruption { DropShare = 0.1, ReplaceShare = 0.1, RowShare = 0.5, Seed = 1 };
/// var noisy = mlContext.Data.CorruptText(split.TrainSet, "Text", corruption);
/// ]]></code>
/// </example>
public sealed record TextCorruption
{
    /// <summary>Rounding that a sum of shares may be above 1 by.</summary>
    private const double Slack = 1e-9;

    /// <summary>Share of a text's words that are left out. Within [0, 1]. Default 0.</summary>
    public double DropShare { get; init => field = OptionCheck.Range(value, 0, 1, nameof(DropShare)); }

    /// <summary>Share of a text's words that give way to another word. Within [0, 1]. Default 0.</summary>
    public double ReplaceShare { get; init => field = OptionCheck.Range(value, 0, 1, nameof(ReplaceShare)); }

    /// <summary>
    /// Share of a text's words that change places, in pairs of neighbours: ⌊n·share / 2⌋ or ⌈n·share / 2⌉ pairs, as far as there is room
    /// beside the words dropped and replaced. Within [0, 1]. Default 0.
    /// </summary>
    public double SwapShare { get; init => field = OptionCheck.Range(value, 0, 1, nameof(SwapShare)); }

    /// <summary>
    /// Probability that a row is corrupted at all, each by itself: of many rows about this share. With the same seed the rows of a smaller
    /// share are among those of a larger. Within [0, 1]. Default 1: all.
    /// </summary>
    public double RowShare { get; init => field = OptionCheck.Range(value, 0, 1, nameof(RowShare)); } = 1;

    /// <summary>What every replaced word becomes, not empty. Default null: a word of the table, another than it was.</summary>
    public string? Replacement
    {
        get;
        init => field = value is null || value.Length > 0
            ? value
            : throw new ArgumentException(
                $"{nameof(Replacement)} is empty: use {nameof(DropShare)} to leave words out.", nameof(Replacement));
    }

    /// <summary>
    /// How a word of the table is drawn: each different word alike, or as often as it occurs. Of a table with more than 1,048,576
    /// different words those read first. Default <see cref="CorruptionDraw.Uniform"/>.
    /// </summary>
    public CorruptionDraw ReplacementDraw { get; init => field = OptionCheck.Defined(value, nameof(ReplacementDraw)); }

    /// <summary>Seed: the same rows with the same seed are corrupted alike. Default 0.</summary>
    public int Seed { get; init; }

    /// <summary>Whether words of the table are needed.</summary>
    internal bool DrawsWords => ReplaceShare > 0 && Replacement is null;

    /// <summary>Checks that the options fit each other.</summary>
    /// <exception cref="ArgumentException">They do not; the message names them.</exception>
    public void Validate()
    {
        var sum = DropShare + ReplaceShare + SwapShare;
        if (sum > 1 + Slack)
        {
            throw new ArgumentException(
                FormattableString.Invariant($"{nameof(DropShare)}, {nameof(ReplaceShare)} and {nameof(SwapShare)} are {sum} together; ")
                + "a word meets one of the three at most, so that they may be 1.");
        }
    }
}

/// <summary>How what takes the place of a word or label is drawn.</summary>
public enum CorruptionDraw
{
    /// <summary>Each different value alike.</summary>
    Uniform,

    /// <summary>Each as often as it occurs in the table.</summary>
    ByFrequency,
}
