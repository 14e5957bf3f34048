using Microsoft.ML.Moe.Sweeps.Journal;
using Microsoft.ML.Moe.Sweeps.Running;

namespace Microsoft.ML.Moe.Cluster;

/// <summary>
/// Gives out what a queue has as leases, and again those whose worker is no longer heard of. Which worker has what stands in the journal
/// too, so that another process can take the coordination up, and workers go on as if nothing had happened. Not for several threads at once.
/// </summary>
internal sealed class Coordinator : IDisposable
{
    private readonly SweepQueue _queue;
    private readonly WorkIdentity _identity;
    private readonly TimeSpan _duration;
    private readonly TimeProvider _time;
    private readonly bool _hasWinner;
    private readonly Dictionary<long, Held> _leases = [];
    private long _last;
    private bool _isConfirmed;

    /// <param name="queue">The queue; is disposed with this.</param>
    /// <param name="identity">What workers must have in common with this process.</param>
    /// <param name="duration">How long a lease lasts after its worker was heard of.</param>
    /// <param name="time">The time.</param>
    /// <param name="hasWinner">See <see cref="IQueueWork.HasWinner"/>.</param>
    public Coordinator(SweepQueue queue, WorkIdentity identity, TimeSpan duration, TimeProvider time, bool hasWinner = true)
    {
        (_queue, _identity, _duration, _time, _hasWinner) = (queue, identity, duration, time, hasWinner);
        var (leases, last) = queue.Leases;
        _last = last;
        foreach (var lease in leases)
        {
            if (lease.Trial >= 0)
                queue.Withhold(lease.Trial);
            _leases[lease.Lease] = new Held(lease.Trial, lease.Worker) { Since = time.GetTimestamp() };
        }
    }

    /// <summary>Is told of a lease whose worker was not heard of.</summary>
    public Action<int, string>? Expired { get; init; }

    /// <summary>Trials that have begun.</summary>
    public int Trials => _queue.Result.Trials.Count;

    /// <summary>Why the sweep cannot go on; null where it can.</summary>
    public string? Failure { get; private set; }

    /// <summary>How the sweep stands.</summary>
    public SweepState State =>
        Failure is not null ? SweepState.Failed
        : _queue.Finish is not null && _leases.Count == 0 && !_queue.HasMore ? SweepState.Finished
        : SweepState.Running;

    /// <summary>A worker asks for something to do.</summary>
    public LeaseAnswer Take(string worker)
    {
        EndLeases();
        if (State is not SweepState.Running and var state)
            return new(state);
        if (_queue.Take() is { } trial)
            return Grant(worker, trial.Trial, id => new(id, trial.Trial, _identity, Trial: trial.ToBytes()));
        if (_leases.Count > 0)
            return new(SweepState.Running);
        var result = _queue.Result;
        if (!_hasWinner && result.Trials.FirstOrDefault(part => part.Verdict is not SweepVerdict.Completed) is { } failed)
        {
            Fail($"Part {failed.Number}: {failed.Error ?? "it was stopped."}");
            return new(State);
        }

        if (!_hasWinner)
            return Grant(worker, LeaseLine.Finishing, id => new(id, LeaseLine.Finishing, _identity, Trials: []));
        if (result.Best is not { } best)
        {
            Fail(SweepQueue.NothingFound(result).Message);
            return new(State);
        }

        return !_isConfirmed && _queue.IsToBeConfirmed(result)
            ? Grant(worker, LeaseLine.Confirmation, id => new(id, LeaseLine.Confirmation, _identity, Trials: [best.Number]))
            : Grant(
                worker,
                LeaseLine.Finishing,
                id => new(id, LeaseLine.Finishing, _identity, Trials: [.. _queue.Kept], Loss: best.Loss!.Value));
    }

    /// <summary>A trial begins, or begins anew.</summary>
    public TrialAnswer Begin(LeaseId lease)
    {
        if (Find(lease) is not { } held)
            return TrialAnswer.Lost;
        // a call that is repeated, as its answer was lost
        if (_queue[held.Part] is not { Verdict: SweepVerdict.Running, Epochs.Count: 0 })
            _queue.Begin(held.Part);
        return Answer(lease.Number, held);
    }

    /// <summary>An epoch has ended.</summary>
    /// <param name="lease">The worker's lease.</param>
    /// <param name="index">Epochs that were told before it.</param>
    /// <param name="epoch">The epoch.</param>
    public TrialAnswer Report(LeaseId lease, int index, EpochLine epoch)
    {
        if (Find(lease) is not { } held || held.Part != epoch.Trial)
            return TrialAnswer.Lost;
        if (_queue[held.Part]?.Epochs.Count == index)
            _queue.Report(epoch);
        return Answer(lease.Number, held);
    }

    /// <summary>The worker lives.</summary>
    public TrialAnswer Renew(LeaseId lease) => Find(lease) is { } held ? Answer(lease.Number, held) : TrialAnswer.Lost;

    /// <summary>What was to be done is done.</summary>
    /// <param name="lease">The worker's lease.</param>
    /// <param name="line">What has come of it; null for nothing.</param>
    public TrialAnswer End(LeaseId lease, JournalLine? line)
    {
        if (Find(lease) is not { } held)
            return TrialAnswer.Lost;
        switch (line)
        {
            case EndLine end when end.Trial == held.Part:
                _queue.End(end);
                break;
            case ConfirmationLine confirmation when held.Part == LeaseLine.Confirmation:
                _queue.Note(confirmation);
                break;
            case FinishLine finish when held.Part == LeaseLine.Finishing:
                _queue.Note(finish);
                break;
        }

        _isConfirmed |= held.Part == LeaseLine.Confirmation;
        _leases.Remove(lease.Number);
        return TrialAnswer.GoOn;
    }

    /// <summary>A worker gives up what it was given.</summary>
    public void Return(LeaseId lease)
    {
        if (Find(lease) is { } held)
            Release(lease.Number, held);
    }

    /// <summary>The sweep cannot go on.</summary>
    public void Fail(string reason) => Failure ??= reason;

    public void Dispose() => _queue.Dispose();

    private LeaseAnswer Grant(string worker, int part, Func<LeaseId, WorkLease> leaseOf)
    {
        var id = new LeaseId(++_last, worker);
        _leases[id.Number] = new Held(part, worker) { Since = _time.GetTimestamp() };
        _queue.Note(new LeaseLine(part, id.Number, worker, 0));
        return new(SweepState.Running, leaseOf(id));
    }

    private void Release(long number, Held held)
    {
        _leases.Remove(number);
        _queue.Note(new LeaseLine(held.Part, number, "", 0));
        if (held.Part >= 0)
            _queue.Return(held.Part);
    }

    private Held? Find(LeaseId lease)
    {
        if (!_leases.TryGetValue(lease.Number, out var held) || held.Worker != lease.Worker)
            return null;
        held.Since = _time.GetTimestamp();
        EndLeases();
        return held;
    }

    /// <summary>
    /// Takes back what workers have that were not heard of. Whoever waits for it at a rung may be the one to go on with it.
    /// </summary>
    private void EndLeases()
    {
        foreach (var (number, held) in _leases.Where(lease => _time.GetElapsedTime(lease.Value.Since) > _duration).ToArray())
        {
            Release(number, held);
            Expired?.Invoke(held.Part, held.Worker);
        }
    }

    private TrialAnswer Answer(long number, Held held)
    {
        if (Failure is not null)
            return TrialAnswer.Lost;
        if (held.Part == LeaseLine.Finishing)
            return TrialAnswer.GoOn;
        var stop = held.Part > 0 ? _queue.Clock.Search : _queue.Clock.End;
        if (stop.IsCancellationRequested)
            return TrialAnswer.Over;
        if ((held.Part < 0 ? true : _queue.GoesOn(held.Part)) is { } goesOn)
            return goesOn ? TrialAnswer.GoOn : TrialAnswer.Stop;
        if (!_queue.IsHeldUp(held.Part))
            return TrialAnswer.Wait;
        // the trial that it waits for has no worker: this one becomes free
        Release(number, held);
        return TrialAnswer.Lost;
    }

    /// <summary>What a worker has.</summary>
    /// <param name="Part">Number of a trial, or what <see cref="LeaseLine"/> has in place of one.</param>
    /// <param name="Worker">The worker.</param>
    private sealed record Held(int Part, string Worker)
    {
        /// <summary>When it was last heard of.</summary>
        public long Since { get; set; }
    }
}
