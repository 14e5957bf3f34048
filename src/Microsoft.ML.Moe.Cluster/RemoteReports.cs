using Microsoft.Extensions.Logging;
using Microsoft.ML.Moe.Sweeps.Journal;
using Microsoft.ML.Moe.Sweeps.Running;

namespace Microsoft.ML.Moe.Cluster;

/// <summary>
/// The queue of another process, as a worker tells it of its trial. While there is this, the coordinator hears of the worker.
/// </summary>
internal sealed class RemoteReports : ITrialReports, IDisposable
{
    private readonly SweepCalls _calls;
    private readonly LeaseId _lease;
    private readonly TimeSpan _poll;
    private readonly CancellationToken _stopping;
    private readonly CancellationTokenSource _stop;
    private readonly CancellationTokenSource _done = new();
    private readonly Task _heartbeat;
    private volatile bool _isLost;
    private int _epochs;

    /// <param name="calls">Reaches the coordinator.</param>
    /// <param name="lease">The worker's lease.</param>
    /// <param name="epochs">Epochs that were told before.</param>
    /// <param name="options">How often the coordinator hears of the worker.</param>
    /// <param name="stopping">The silo is about to end.</param>
    public RemoteReports(SweepCalls calls, LeaseId lease, int epochs, MoeClusterOptions options, CancellationToken stopping)
    {
        (_calls, _lease, _epochs, _poll, _stopping) = (calls, lease, epochs, options.PollInterval, stopping);
        _stop = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        _heartbeat = Task.Run(() => BeatAsync(options.LeaseDuration / 3), CancellationToken.None);
    }

    /// <summary>The trial is no longer this worker's.</summary>
    public bool IsLost => _isLost;

    public CancellationToken Stop => _stop.Token;

    public bool IsCanceled => _isLost || _stopping.IsCancellationRequested;

    public void CheckGoesOn()
    {
        if (IsCanceled)
            throw new LeaseLostException();
    }

    public void Begin()
    {
        _epochs = 0;
        Follow(Ask(grain => grain.BeginAsync(_lease)));
    }

    public bool Report(EpochLine epoch)
    {
        var (index, line) = (_epochs++, epoch.ToBytes());
        return Follow(Ask(grain => grain.ReportAsync(_lease, index, line)));
    }

    public bool GoesOn() => Follow(Ask(grain => grain.RenewAsync(_lease)));

    /// <summary>What was to be done is done.</summary>
    /// <param name="line">What has come of it; null for nothing.</param>
    public void End(JournalLine? line)
    {
        var bytes = line?.ToBytes();
        Ask(grain => grain.EndAsync(_lease, bytes));
    }

    public void Dispose()
    {
        _done.Cancel();
        _heartbeat.GetAwaiter().GetResult();
        _done.Dispose();
        _stop.Dispose();
    }

    /// <summary>Asks until the coordinator has taken it in.</summary>
    private TrialAnswer Ask(Func<ISweepGrain, Task<TrialAnswer>> ask)
    {
        while (true)
        {
            // an epoch that has ended only because the worker does is none
            CheckGoesOn();
            if (_calls.Try(ask, _stopping, out var answer) && answer is not TrialAnswer.NotReady)
                return answer;
            Wait();
        }
    }

    private bool Follow(TrialAnswer answer)
    {
        for (; ; answer = Ask(grain => grain.RenewAsync(_lease)))
        {
            if (Heed(answer) is { } goesOn)
                return goesOn;
            CheckGoesOn();
            Wait();
        }
    }

    /// <summary>Whether the trial goes on; null where that is not known yet, or the worker is to forget it.</summary>
    private bool? Heed(TrialAnswer answer)
    {
        if (answer is TrialAnswer.Lost)
            _isLost = true;
        if (answer is TrialAnswer.Lost or TrialAnswer.Over)
            _stop.Cancel();
        return answer switch
        {
            TrialAnswer.GoOn or TrialAnswer.Over => true,
            TrialAnswer.Stop => false,
            _ => null,
        };
    }

    private void Wait() => _stopping.WaitHandle.WaitOne(_poll);

    private async Task BeatAsync(TimeSpan interval)
    {
        using var timer = new PeriodicTimer(interval);
        try
        {
            while (await timer.WaitForNextTickAsync(_done.Token))
                if (await _calls.TryAsync(grain => grain.RenewAsync(_lease)) is (true, var answer) && !_done.IsCancellationRequested)
                    Heed(answer);
        }
        catch (OperationCanceledException)
        {
            // the lease has ended
        }
    }
}

/// <summary>A trial is no longer the worker's, or the worker is about to end.</summary>
internal sealed class LeaseLostException() : QueueException("The trial is no longer this worker's.", null);

/// <summary>Calls of a coordinator that may be moving from one silo to another.</summary>
/// <param name="name">Name of the sweep.</param>
/// <param name="grain">The coordinator.</param>
/// <param name="logger">Is told of calls without an answer.</param>
internal sealed class SweepCalls(string name, ISweepGrain grain, ILogger logger)
{
    /// <summary>Calls once, from a thread that is no grain's.</summary>
    /// <returns>Whether there was an answer.</returns>
    public bool Try<T>(Func<ISweepGrain, Task<T>> call, CancellationToken stop, out T answer)
    {
        (var isAnswered, answer) = TryAsync(call).WaitAsync(stop).ContinueWith(
            static task => task.IsCompletedSuccessfully ? task.Result : (false, default!), TaskScheduler.Default).GetAwaiter().GetResult();
        return isAnswered;
    }

    /// <summary>Calls once.</summary>
    /// <returns>Whether there was an answer, and the answer.</returns>
    public async Task<(bool IsAnswered, T Answer)> TryAsync<T>(Func<ISweepGrain, Task<T>> call)
    {
        try
        {
            return (true, await call(grain).ConfigureAwait(false));
        }
        catch (Exception e)
        {
            // whatever it is, the silo may be gone and another about to take over
            Messages.Unanswered(logger, name, e);
            return (false, default!);
        }
    }
}
