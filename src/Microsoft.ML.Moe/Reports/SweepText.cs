using System.Globalization;

namespace Microsoft.ML.Moe.Reports;

/// <summary>What a sweep has found, in words.</summary>
internal static class SweepText
{
    /// <summary>Columns of the leaderboard.</summary>
    public static readonly IReadOnlyList<string> Columns = ["Trial", "Loss", "Verdict", "Epochs", "Seconds", "Process MiB", "Options"];

    /// <summary>How much was tried.</summary>
    public static string Summary(SweepResult result)
    {
        var counts = result.Trials.GroupBy(trial => trial.Verdict).OrderBy(group => group.Key).Select(group => $"{group.Count()} {Name(group.Key)}");
        return Invariant($"{result.Trials.Count} trials in {result.Duration.TotalSeconds:0} s: {string.Join(", ", counts)}.");
    }

    /// <summary>Which is the best, and what is known of it besides.</summary>
    public static IEnumerable<string> Winner(SweepResult result)
    {
        if (result.Best is not { } best)
            yield break;
        var defaults = result.Trials.FirstOrDefault(trial => trial.Number == 0)?.Loss;
        var compared = defaults is { } loss && best.Number > 0 ? Invariant($", the defaults {loss:0.0000}") : "";
        yield return Invariant($"Trial {best.Number} is the best: {result.Metric} {best.Loss:0.0000}{compared}.");
        if (result.EnsembleLoss is { } average)
            yield return Invariant($"The average of trials {string.Join(", ", result.Members)}: {average:0.0000}.");
        if (result.Confirmation is { } confirmation)
        {
            var difference = Invariant($"{confirmation.Difference:+0.0000;-0.0000} ± {confirmation.StandardError:0.0000}");
            yield return Invariant($"With another seed: {confirmation.Loss:0.0000}; difference of its rows to the defaults {difference}.");
        }
    }

    /// <summary>A row of the leaderboard.</summary>
    public static IReadOnlyList<string> Cells(SweepTrial trial) =>
    [
        Invariant($"{trial.Number}"),
        trial.Loss is { } loss ? Invariant($"{loss:0.0000}") : trial.BestEpochLoss is { } best ? Invariant($"({best:0.0000})") : "–",
        Name(trial.Verdict),
        trial.Epochs is [.., var last] ? Invariant($"{last.Epoch} of {last.Epochs}") : "–",
        Invariant($"{trial.Duration.TotalSeconds:0.0}"),
        Invariant($"{trial.ProcessMemory >> 20}"),
        DisplayText.Token(trial.Error ?? string.Join(", ", trial.Options.Select(option => $"{option.Key} {option.Value}"))),
    ];

    private static string Name(SweepVerdict verdict) => verdict switch
    {
        SweepVerdict.Running => "running",
        SweepVerdict.Completed => "completed",
        SweepVerdict.Stopped => "stopped at a rung",
        SweepVerdict.OutOfTime => "out of time",
        _ => "failed",
    };

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
