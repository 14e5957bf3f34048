namespace Microsoft.ML.Moe.Training;

/// <summary>How a classifier of texts with a published encoder is trained.</summary>
internal sealed record PublishedTextConfig : PublishedTrainingConfig
{
    /// <summary>Longest sequence in tokens; null follows the training texts.</summary>
    public int? MaximumTokens { get; init; }

    /// <summary>Whether a linear model over words counts beside the encoder.</summary>
    public bool LinearBranch { get; init; } = true;

    /// <summary>The classifier that is trained from nothing in place of one whose encoder does not know the texts' language.</summary>
    public TextClassifierConfig FromScratch { get; init; } = new();

    /// <summary>The longest sequence for texts, and whether both ends of them are read.</summary>
    /// <param name="lengths">Tokens of each training text, special ones counted, uncut.</param>
    /// <param name="limit">Longest sequence that the encoder is made for; one that is asked for may be longer.</param>
    /// <param name="isPair">Whether rows are pairs.</param>
    public (int Length, bool BothEnds) LengthFor(IReadOnlyCollection<int> lengths, int limit, bool isPair)
    {
        if (MaximumTokens is { } given)
            return (given, false);
        var fewest = isPair ? 2 * FewestTokens : FewestTokens;
        int[] ascending = [.. lengths.Order()];
        var long95 = ascending.Length == 0 ? 0 : ascending[(int)Math.Min(ascending.Length - 1, ascending.Length * ShareReadWhole)];
        var affordable = (int)Math.Min(limit, Math.Max(fewest, MostTokensOfAll / Math.Max(1, ascending.Length)));
        if (isPair || long95 <= limit)
            return (Math.Min(limit, Math.Max(fewest, Math.Min(long95, affordable))), false);
        return (Math.Min(limit, Math.Max(fewest, affordable / 2)), true);
    }

    /// <summary>The shortest sequence of single texts.</summary>
    private const int FewestTokens = 64;

    /// <summary>Tokens of all rows at most, where reading more than the fewest of each makes them many.</summary>
    private const long MostTokensOfAll = 1_500_000;

    /// <summary>Share of the training texts that are to be read whole.</summary>
    private const double ShareReadWhole = 0.95;
}
