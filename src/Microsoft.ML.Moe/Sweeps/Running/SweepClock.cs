using System.Diagnostics;

namespace Microsoft.ML.Moe.Sweeps.Running;

/// <summary>The time of a sweep, and what ends it.</summary>
internal sealed class SweepClock : IDisposable
{
    /// <summary>Share of the budget that is kept for what comes after the last step: scoring the validation rows, and saving.</summary>
    private const double Finishing = 0.03;

    private readonly long _began = Stopwatch.GetTimestamp();
    private readonly double _before;
    private readonly TimeSpan? _budget;
    private readonly CancellationTokenSource _search;
    private readonly CancellationTokenSource _end;

    /// <param name="before">Seconds before the sweep was taken up.</param>
    /// <param name="budget">How long it may last in all; null for ever.</param>
    /// <param name="stop">Ends it.</param>
    public SweepClock(double before, TimeSpan? budget, CancellationToken stop)
    {
        (_before, _budget) = (before, budget);
        _end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        _search = CancellationTokenSource.CreateLinkedTokenSource(_end.Token);
        if (Left is { } left)
            CancelAfter(_end, left - budget!.Value * Finishing);
    }

    /// <summary>Seconds since the sweep began, an interruption not counted.</summary>
    public double Seconds => _before + Stopwatch.GetElapsedTime(_began).TotalSeconds;

    /// <summary>What is left of the budget; null without one.</summary>
    public TimeSpan? Left => _budget is { } budget ? budget - TimeSpan.FromSeconds(Seconds) : null;

    /// <summary>Ends the search.</summary>
    public CancellationToken Search => _search.Token;

    /// <summary>Ends the sweep.</summary>
    public CancellationToken End => _end.Token;

    /// <summary>Ends the search earlier than the sweep, to leave time for something else.</summary>
    public void Reserve(TimeSpan time)
    {
        if (Left is { } left)
            CancelAfter(_search, left - time);
    }

    /// <summary>Ends both now.</summary>
    public void Cancel() => _end.Cancel();

    public void Dispose()
    {
        _search.Dispose();
        _end.Dispose();
    }

    private static void CancelAfter(CancellationTokenSource source, TimeSpan time)
    {
        if (time <= TimeSpan.Zero)
            source.Cancel();
        else if (time.TotalMilliseconds < int.MaxValue)
            source.CancelAfter(time);
    }
}
