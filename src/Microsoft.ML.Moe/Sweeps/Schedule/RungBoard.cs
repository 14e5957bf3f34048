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

    /// <summary>A trial is at a rung. The defaults always go on.</summary>
    /// <param name="rung">The rung.</param>
    /// <param name="trial">Number of the trial.</param>
    /// <param name="loss">Its loss; smaller is better.</param>
    /// <param name="stop">Ends waiting for others: the trial goes on.</param>
    /// <returns>Whether it goes on.</returns>
    public bool Report(int rung, int trial, double loss, CancellationToken stop)
    {
        Record(rung, trial, loss);
        while (trial > 0)
        {
            Task change;
            lock (_lock)
            {
                if (Enumerable.Range(0, trial).All(other => _ended.Contains(other) || _losses.ContainsKey((rung, other))))
                    return SuccessiveHalving.GoesOn(loss, [.. _losses.Where(at => at.Key.Rung == rung && at.Key.Trial < trial).Select(at => at.Value)]);
                change = _change.Task;
            }

            try
            {
                change.Wait(stop);
            }
            catch (OperationCanceledException)
            {
                break;
            }
        }

        return true;
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
