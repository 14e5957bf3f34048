using System.Globalization;

namespace Microsoft.ML.Moe.Benchmarks.Measurement;

/// <summary>What the best trials of a sweep have tried, and the first, with which it began.</summary>
internal static class TrialLines
{
    private const int First = 5;
    private const int Best = 6;

    /// <summary>A line for each of them.</summary>
    public static IEnumerable<string> Of(SweepResult result)
    {
        var shown = result.Leaderboard.Take(Best).Concat(result.Trials.Where(trial => trial.Number < First)).Distinct();
        foreach (var trial in shown)
        {
            var options = string.Join(", ", trial.Options.Select(option => $"{option.Key} {option.Value}"));
            var epochs = trial.Epochs.Count == 0 ? "" : FormattableString.Invariant($" of {trial.Epochs.Count} of {trial.Epochs[0].Epochs} epochs");
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"  trial {trial.Number}, {trial.Verdict}{epochs}, validation loss {trial.Loss ?? trial.BestEpochLoss:0.0000}, {trial.Duration.TotalSeconds:0} s: {options}");
        }
    }
}
