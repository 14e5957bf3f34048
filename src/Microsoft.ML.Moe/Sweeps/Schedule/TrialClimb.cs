namespace Microsoft.ML.Moe.Sweeps.Schedule;

/// <summary>How far a trial has come: the rungs that it has been at, and its best loss so far.</summary>
internal sealed class TrialClimb
{
    private readonly HashSet<int> _rungs = [];

    /// <summary>The rungs.</summary>
    public IReadOnlyCollection<int> Rungs => _rungs;

    /// <summary>The least loss of an epoch.</summary>
    public double Best { get; private set; } = double.PositiveInfinity;

    /// <summary>An epoch has ended.</summary>
    /// <returns>The rungs that it has brought the trial to.</returns>
    public IReadOnlyList<int> Follow(SweepEpoch epoch)
    {
        if (epoch.Loss is not { } loss)
            return [];
        Best = Math.Min(Best, loss);
        // a second round of training begins anew, but is compared no more
        return [.. SuccessiveHalving.ReachedBy(epoch.Epoch, epoch.Epochs).Where(_rungs.Add)];
    }
}
