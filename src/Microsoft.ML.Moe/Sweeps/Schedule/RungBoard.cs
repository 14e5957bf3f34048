namespace Microsoft.ML.Moe.Sweeps.Schedule;

/// <summary>
/// What trials have reached at rungs. Whether one goes on is decided by those with smaller numbers alone, and not before all of them have been at the
/// rung or have ended: so the decisions are the same whatever the number of workers, and whichever of them is faster. As trials begin by their
/// numbers, the one with the smallest that is running never waits.
/// </summary>
internal sealed class RungBoard
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(int Rung, int Trial), double> _losses = [];
    private readonly HashSet<int> _ended = [];
    private TaskCompletionSource _change = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Whether a trial that is at a rung goes on. The defaults always do.</summary>
    /// <param name="rung">The rung.</param>
    /// <param name="trial">Number of the trial, which was recorded there.</param>
    /// <returns>null as long as a trial with a smaller number may still come there.</returns>
    public bool? GoesOn(int rung, int trial)
    {
        if (trial == 0)
            return true;
        lock (_lock)
        {
            if (!Enumerable.Range(0, trial).All(other => _ended.Contains(other) || _losses.ContainsKey((rung, other))))
                return null;
            double[] earlier = [.. _losses.Where(at => at.Key.Rung == rung && at.Key.Trial < trial).Select(at => at.Value)];
            return SuccessiveHalving.GoesOn(_losses[(rung, trial)], earlier);
        }
    }

    /// <summary>Waits until it is known whether a trial that is at a rung goes on.</summary>
    /// <param name="rung">The rung.</param>
    /// <param name="trial">Number of the trial, which was recorded there.</param>
    /// <param name="stop">Ends waiting for others: the trial goes on.</param>
    public bool Await(int rung, int trial, CancellationToken stop)
    {
        while (true)
        {
            Task change;
            lock (_lock)
                change = _change.Task;
            if (GoesOn(rung, trial) is { } goesOn)
                return goesOn;
            try
            {
                change.Wait(stop);
            }
            catch (OperationCanceledException)
            {
                return true;
            }
        }
    }

    /// <summary>Notes what a trial had reached at a rung.</summary>
    public void Record(int rung, int trial, double loss) => Change(() => _losses[(rung, trial)] = loss);

    /// <summary>A trial has ended and will be at no further rung.</summary>
    public void End(int trial) => Change(() => _ended.Add(trial));

    private void Change(Action change)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            change();
            (changed, _change) = (_change, new(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        changed.SetResult();
    }
}
