namespace Microsoft.ML.Moe.Routing;

/// <summary>What a group of experts is worth to a token.</summary>
public enum GroupScore
{
    /// <summary>Its largest score (DeepSeek-V2, arXiv 2405.04434, section 2.2.2).</summary>
    Largest,

    /// <summary>The sum of its two largest scores (DeepSeek-V3, arXiv 2412.19437, section 2.1.2).</summary>
    SumOfTwoLargest,
}

/// <summary>
/// Group-limited choice: experts, in the order of their numbers, are cut into groups of equal size, and a token chooses among those of its
/// best groups only; ties go to the lower group.
/// </summary>
/// <param name="Count">Number of groups, at least 1; divides the number of experts.</param>
/// <param name="Kept">Groups that a token chooses from, within [1, <paramref name="Count"/>].</param>
/// <param name="Score">What a group is worth. Default <see cref="GroupScore.Largest"/>.</param>
public sealed record ExpertGroups(int Count, int Kept, GroupScore Score = GroupScore.Largest)
{
    /// <summary>Number of groups.</summary>
    public int Count { get; init => field = Checked(value, nameof(Count)); } = Checked(Count, nameof(Count));

    /// <summary>Groups that a token chooses from; more than there are keep all.</summary>
    public int Kept { get; init => field = Checked(value, nameof(Kept)); } = Checked(Kept, nameof(Kept));

    /// <summary>What a group is worth.</summary>
    public GroupScore Score
    {
        get;
        init => field = OptionCheck.Defined(value, nameof(Score));
    }
    = OptionCheck.Defined(Score, nameof(Score));

    /// <summary>Checks that a token finds its experts.</summary>
    /// <exception cref="ArgumentException">It does not.</exception>
    internal void CheckFits(int experts, int expertsPerToken)
    {
        if (experts % Count != 0)
            throw new ArgumentException($"{experts} experts cannot be cut into {Count} groups of equal size.", nameof(experts));
        if (Math.Min(Kept, Count) * (experts / Count) < expertsPerToken)
        {
            throw new ArgumentException(
                $"{Kept} of {Count} groups have {Kept * (experts / Count)} of {experts} experts, fewer than the {expertsPerToken} of a token.",
                nameof(experts));
        }
    }

    /// <summary>Makes the scores of experts of other groups −∞.</summary>
    /// <param name="scoresE">Scores by which a token chooses.</param>
    internal void Exclude(Span<double> scoresE)
    {
        var size = scoresE.Length / Count;
        Span<double> scoreG = Count <= 256 ? stackalloc double[Count] : new double[Count];
        for (var group = 0; group < Count; group++)
            scoreG[group] = ScoreOf(scoresE.Slice(group * size, size));
        for (var group = 0; group < Count; group++)
        {
            var ahead = 0;
            for (var other = 0; other < Count; other++)
                ahead += scoreG[other] > scoreG[group] || (scoreG[other] == scoreG[group] && other < group) ? 1 : 0;
            if (ahead >= Kept)
                scoresE.Slice(group * size, size).Fill(double.NegativeInfinity);
        }
    }

    private static int Checked(int groups, string option) => OptionCheck.Range(groups, 1, 1 << 16, option);

    private double ScoreOf(ReadOnlySpan<double> scores)
    {
        var (first, second) = (double.NegativeInfinity, double.NegativeInfinity);
        foreach (var score in scores)
        {
            if (score > first)
                (first, second) = (score, first);
            else
                second = Math.Max(second, score);
        }

        return Score == GroupScore.Largest || scores.Length == 1 ? first : first + second;
    }
}
