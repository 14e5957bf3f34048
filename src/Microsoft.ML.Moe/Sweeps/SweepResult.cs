using Microsoft.ML.Moe.Sweeps.Journal;

namespace Microsoft.ML.Moe;

/// <summary>What a sweep has found, or has found so far.</summary>
public sealed class SweepResult
{
    internal SweepResult(IReadOnlyList<SweepTrial> trials, SweepMetric metric, SweepConfirmation? confirmation, TimeSpan duration)
    {
        (Trials, Metric, Confirmation, Duration) = (trials, metric, confirmation, duration);
        Leaderboard = [.. trials.Order(Comparer<SweepTrial>.Create(Compare))];
    }

    /// <summary>All trials by their numbers.</summary>
    public IReadOnlyList<SweepTrial> Trials { get; }

    /// <summary>
    /// The trials, best first: those that count by their loss, then those that were stopped, the later and the better first, then those that
    /// are running, and those that have failed.
    /// </summary>
    public IReadOnlyList<SweepTrial> Leaderboard { get; }

    /// <summary>The best trial; null as long as none counts.</summary>
    public SweepTrial? Best => Leaderboard.Count > 0 && Leaderboard[0].Loss is not null ? Leaderboard[0] : null;

    /// <summary>By what trials are compared.</summary>
    public SweepMetric Metric { get; }

    /// <summary>
    /// The winner's training with another seed; null where it is that of the defaults, or there was no time left, or nobody asked for it.
    /// </summary>
    public SweepConfirmation? Confirmation { get; }

    /// <summary>How long the sweep has lasted, without the time between an interruption and its resumption.</summary>
    public TimeSpan Duration { get; }

    /// <summary>Numbers of the trials that the model averages: the best alone, or more.</summary>
    public IReadOnlyList<int> Members { get; init; } = [];

    /// <summary>What trials are compared by, of the average of <see cref="Members"/>; null where it is the best alone.</summary>
    public double? EnsembleLoss { get; init; }

    /// <summary>File of the model that a sweep on several machines leaves beside its journal; null elsewhere.</summary>
    public string? ModelFile { get; init; }

    /// <summary>What the journal of a sweep says, which may be running.</summary>
    /// <param name="journalFile">The file.</param>
    /// <exception cref="FileNotFoundException">It is not there.</exception>
    /// <exception cref="InvalidDataException">It is no journal, or damaged; the message names the line.</exception>
    public static SweepResult Read(string journalFile)
    {
        ArgumentException.ThrowIfNullOrEmpty(journalFile);
        return SweepHistory.Read(journalFile).Result();
    }

    private static int Compare(SweepTrial? one, SweepTrial? other)
    {
        var (a, b) = (Order(one!), Order(other!));
        return a.CompareTo(b);

        static (int Group, double Less, double Loss, int Number) Order(SweepTrial trial) => trial switch
        {
            { Loss: { } loss } => (0, 0, loss, trial.Number),
            { Verdict: SweepVerdict.Stopped } => (1, trial.Epochs is [.., var last] ? -(double)last.Epoch / last.Epochs : 0, trial.BestEpochLoss ?? double.MaxValue, trial.Number),
            { Verdict: SweepVerdict.Failed } => (3, 0, 0, trial.Number),
            _ => (2, 0, 0, trial.Number),
        };
    }
}
