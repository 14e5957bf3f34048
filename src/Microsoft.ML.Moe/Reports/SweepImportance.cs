using System.Globalization;

namespace Microsoft.ML.Moe.Reports;

/// <summary>How much of the trials' outcome goes with an option.</summary>
/// <param name="Option">Its name.</param>
/// <param name="Share">Share of the variance of the trials' ranks that the option's values explain by themselves, within [0, 1].</param>
internal sealed record SweepImportance(string Option, double Share)
{
    private const int Groups = 3;

    /// <summary>Fewer trials tell nothing.</summary>
    public const int FewestTrials = 6;

    /// <summary>
    /// The importance of each option that differs: the correlation ratio (variance between groups by variance in all) of ranks, which a
    /// few trials that went wrong cannot dominate. Numbers are divided into three groups of as many trials.
    /// </summary>
    /// <param name="result">The trials.</param>
    /// <returns>The largest first; empty with fewer than six trials.</returns>
    public static IReadOnlyList<SweepImportance> Of(SweepResult result)
    {
        SweepTrial[] trials = [.. result.Leaderboard.Where(trial => trial.Loss is not null || trial.Verdict is SweepVerdict.Stopped)];
        if (trials.Length < FewestTrials)
            return [];
        return
        [
            .. trials.SelectMany(trial => trial.Options.Keys).Distinct()
                .Where(option => trials.Select(trial => trial.Options.GetValueOrDefault(option)).Distinct().Count() > 1)
                .Select(option => new SweepImportance(option, ShareOf([.. trials.Select(trial => trial.Options.GetValueOrDefault(option))])))
                .OrderByDescending(importance => importance.Share),
        ];
    }

    /// <summary>The share, of values in the order of their trials' ranks.</summary>
    private static double ShareOf(string?[] values)
    {
        var mean = (values.Length - 1) / 2.0;
        var total = values.Index().Sum(value => (value.Index - mean) * (value.Index - mean));
        var between = GroupsOf(values).GroupBy(value => value.Group, value => (double)value.Rank)
            .Sum(group => group.Count() * (group.Average() - mean) * (group.Average() - mean));
        return between / total;
    }

    private static IEnumerable<(string Group, int Rank)> GroupsOf(string?[] values)
    {
        double?[] numbers = [.. values.Select(value => double.TryParse(value, CultureInfo.InvariantCulture, out var number) ? number : (double?)null)];
        if (numbers.Distinct().Count() <= Groups || numbers.Count(number => number is null) > values.Length / 2)
            return values.Select((value, rank) => (value ?? "", rank));
        int[] order = [.. Enumerable.Range(0, values.Length).Where(rank => numbers[rank] is not null).OrderBy(rank => numbers[rank])];
        return order.Select((rank, place) => ((place * Groups / order.Length).ToString(CultureInfo.InvariantCulture), rank));
    }
}
