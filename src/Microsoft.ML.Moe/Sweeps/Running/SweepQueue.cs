using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.ML.Moe.Sweeps.Journal;
using Microsoft.ML.Moe.Sweeps.Schedule;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Sweeps.Running;

/// <summary>
/// What of a sweep is tried next, and whether it goes on: proposals by their numbers, decisions at rungs, the journal, and the time. It trains
/// nothing itself, and takes itself up from the journal. For several threads.
/// </summary>
internal sealed class SweepQueue : IDisposable
{
    private readonly SweepOptions _options;
    private readonly SweepJournal _journal;
    private readonly KeptModels _models;
    private readonly Func<int, IReadOnlyDictionary<string, JsonNode?>?> _told;
    private readonly TimeSpan _worthACheckpoint;
    private readonly RungBoard _board = new();
    private readonly Dictionary<int, TrialClimb> _climbs = [];
    private readonly Lock _lock = new();
    private readonly Lock _telling = new();
    private readonly SortedSet<int> _unfinished = [];
    private int _next;

    /// <param name="options">How long to search, and whom to tell.</param>
    /// <param name="journal">What has happened so far; is disposed with the queue.</param>
    /// <param name="models">The models of trials that have ended.</param>
    /// <param name="told">What is told of a trial's options, by its number; null for no more trials.</param>
    /// <param name="worthACheckpoint">Trials keep a checkpoint, like the defaults, if those took so long.</param>
    /// <exception cref="InvalidDataException">The model of one of the best trials is not there.</exception>
    public SweepQueue(
        SweepOptions options,
        SweepJournal journal,
        KeptModels models,
        Func<int, IReadOnlyDictionary<string, JsonNode?>?> told,
        TimeSpan worthACheckpoint)
    {
        (_options, _journal, _models, _told, _worthACheckpoint) = (options, journal, models, told, worthACheckpoint);
        Clock = new SweepClock(journal.SecondsBefore, options.TimeBudget, options.StopToken);
        Resume();
    }

    /// <summary>The time.</summary>
    public SweepClock Clock { get; }

    /// <summary>What was found so far.</summary>
    public SweepResult Result => _journal.Result();

    /// <summary>A trial; null where it has not begun.</summary>
    public SweepTrial? this[int trial] => _journal[trial];

    /// <summary>The trials whose models are kept, best first.</summary>
    public IReadOnlyList<int> Kept => _models.Trials;

    /// <summary>Which worker has what, on several machines, and the greatest number of a lease.</summary>
    public (IReadOnlyList<LeaseLine> Leases, long Last) Leases => _journal.Leases;

    /// <summary>How the sweep has ended on several machines; null where it has not.</summary>
    public FinishLine? Finish => _journal.Finish;

    /// <summary>Whether a trial is still to be trained, or trained on.</summary>
    public bool IsUnfinished(int trial) => this[trial] is null or { Verdict: SweepVerdict.Running or SweepVerdict.OutOfTime };

    /// <summary>Trials that are left, as far as their number is known.</summary>
    public int Left
    {
        get
        {
            lock (_lock)
                return Math.Max(1, _options.TrialLimit - _next + _unfinished.Count);
        }
    }

    /// <summary>Whether there is a trial to give out, and time for it.</summary>
    public bool HasMore
    {
        get
        {
            lock (_lock)
            {
                var isLeft = _unfinished.Count > 0 && _unfinished.Min < _options.TrialLimit;
                return !Clock.Search.IsCancellationRequested && !IsTooLateForAnother()
                    && (isLeft || (_next < _options.TrialLimit && _told(_next) is not null));
            }
        }
    }

    /// <summary>The next trial; null when there is none or no time for it.</summary>
    public TrialLease? Take()
    {
        lock (_lock)
        {
            if (!HasMore)
                return null;
            if (_unfinished.Count == 0 || _unfinished.Min >= _options.TrialLimit)
                return LeaseOf(_next++);
            var number = _unfinished.Min;
            _unfinished.Remove(number);
            return LeaseOf(number);
        }
    }

    /// <summary>Whether a trial that was given back waits for a worker, and others at a rung for it.</summary>
    /// <param name="trial">Number of the trial that waits.</param>
    public bool IsHeldUp(int trial)
    {
        lock (_lock)
            return _unfinished.Count > 0 && _unfinished.Min < trial;
    }

    /// <summary>A trial is with a worker, and not to be given out.</summary>
    public void Withhold(int trial)
    {
        lock (_lock)
        {
            for (; _next <= trial; _next++)
                _unfinished.Add(_next);
            _unfinished.Remove(trial);
        }
    }

    /// <summary>A trial that its worker no longer has is to be given out again.</summary>
    public void Return(int trial)
    {
        lock (_lock)
            if (IsUnfinished(trial))
                _unfinished.Add(trial);
    }

    /// <summary>A trial begins, or begins anew.</summary>
    /// <exception cref="JournalException">The journal cannot be written.</exception>
    public void Begin(int trial)
    {
        lock (_lock)
            _climbs[trial] = new TrialClimb();
        Add(new BeginLine(trial, _told(trial)!, Clock.Seconds));
    }

    /// <summary>An epoch of a trial has ended.</summary>
    /// <exception cref="JournalException">The journal cannot be written.</exception>
    public void Report(EpochLine epoch)
    {
        var trial = Add(epoch with { At = Clock.Seconds })!;
        Climb(epoch.Trial, trial.Epochs[^1]);
    }

    /// <summary>Whether a trial goes on after its epochs so far; null as long as a trial before it may still be better.</summary>
    public bool? GoesOn(int trial)
    {
        bool?[] decisions = [.. RungsOf(trial).Select(rung => _board.GoesOn(rung, trial))];
        return decisions.Contains(false) ? false : decisions.Contains(null) ? null : true;
    }

    /// <summary>Waits until it is known whether a trial goes on after its epochs so far.</summary>
    /// <param name="trial">Its number.</param>
    /// <param name="stop">Ends waiting for others: the trial goes on.</param>
    public bool Await(int trial, CancellationToken stop) => RungsOf(trial).All(rung => _board.Await(rung, trial, stop));

    /// <summary>A trial has ended. Its model, if it counts, is kept by now.</summary>
    /// <exception cref="JournalException">The journal cannot be written.</exception>
    public void End(EndLine end)
    {
        var checkpoint = CheckpointOf(end.Trial);
        try
        {
            Add(end with { At = Clock.Seconds });
            if (end.Loss is { } loss)
                _models.Commit(end.Trial, loss);
            if (end is { Trial: 0, Verdict: SweepVerdict.Completed })
                LeaveTimeToConfirm(TimeSpan.FromSeconds(end.Seconds));
        }
        finally
        {
            _board.End(end.Trial);
            if (end.Verdict is not SweepVerdict.OutOfTime && checkpoint is not null)
                TrainingCheckpoint.Delete(checkpoint);
        }
    }

    /// <summary>Whether the winner is to be fitted with another seed.</summary>
    public bool IsToBeConfirmed(SweepResult result) => _options.ConfirmWinner && result.Best is { Number: > 0 } best
        && result.Confirmation?.Trial != best.Number && !Clock.End.IsCancellationRequested;

    /// <summary>The winner was fitted with another seed.</summary>
    /// <exception cref="JournalException">The journal cannot be written.</exception>
    public void Note(ConfirmationLine confirmation) => Add(confirmation with { At = Clock.Seconds });

    /// <summary>A worker has been given a trial.</summary>
    /// <exception cref="JournalException">The journal cannot be written.</exception>
    public void Note(LeaseLine lease) => Add(lease with { At = Clock.Seconds });

    /// <summary>The sweep has ended, and its model is kept.</summary>
    /// <exception cref="JournalException">The journal cannot be written.</exception>
    public void Note(FinishLine finish) => Add(finish with { At = Clock.Seconds });

    /// <summary>The error of a sweep that has found nothing.</summary>
    public static InvalidOperationException NothingFound(SweepResult result) =>
        result.Trials.FirstOrDefault(trial => trial.Error is not null) is { } failed
            ? new($"No trial of the sweep could be trained. Trial {failed.Number}: {failed.Error}")
            : new($"The sweep ended before the defaults had taken a step: give it more time in {nameof(SweepOptions.TimeBudget)}.");

    public void Dispose()
    {
        _journal.Dispose();
        Clock.Dispose();
    }

    /// <summary>Takes up what stands in the journal.</summary>
    private void Resume()
    {
        var begun = Result.Trials;
        foreach (var trial in begun.Where(trial => trial.Verdict is not SweepVerdict.OutOfTime))
        {
            foreach (var epoch in trial.Epochs)
                Climb(trial.Number, epoch);
            if (trial.Verdict is not SweepVerdict.Running)
                _board.End(trial.Number);
        }

        _next = begun.Count == 0 ? 0 : begun[^1].Number + 1;
        // those, too, that a worker had taken, but not begun by the time that another began the next
        foreach (var number in Enumerable.Range(0, _next))
            if (IsUnfinished(number))
                _unfinished.Add(number);
        _models.Resume(begun.Where(trial => trial.Loss is not null).Select(trial => (trial.Number, trial.Loss!.Value)));
        if (this[0] is { Verdict: SweepVerdict.Completed, Duration: var duration })
            LeaveTimeToConfirm(duration);
    }

    private void Climb(int trial, SweepEpoch epoch)
    {
        lock (_lock)
        {
            if (!_climbs.TryGetValue(trial, out var climb))
                _climbs[trial] = climb = new TrialClimb();
            foreach (var rung in climb.Follow(epoch))
                _board.Record(rung, trial, climb.Best);
        }
    }

    private int[] RungsOf(int trial)
    {
        lock (_lock)
            return _climbs.TryGetValue(trial, out var climb) ? [.. climb.Rungs.Order()] : [];
    }

    private TrialLease LeaseOf(int trial)
    {
        var checkpoint = CheckpointOf(trial);
        return this[trial] is { Verdict: SweepVerdict.Running, Epochs: { Count: > 0 } epochs } && File.Exists(checkpoint)
            ? new TrialLease(trial, epochs, checkpoint)
            : new TrialLease(trial, [], checkpoint);
    }

    private string? CheckpointOf(int trial) =>
        _journal.Folder is { } folder && (trial == 0 || _worthACheckpoint == TimeSpan.Zero || this[0]?.Duration >= _worthACheckpoint)
            ? Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"trial-{trial:0000}.checkpoint"))
            : null;

    private void LeaveTimeToConfirm(TimeSpan trial)
    {
        if (_options.ConfirmWinner && Clock.Left is { } left)
            Clock.Reserve(trial * 1.2 < left / 3 ? trial * 1.2 : TimeSpan.Zero);
    }

    /// <summary>What tells no epochs cannot be stopped amid: it is not begun when others like it took longer than there is time.</summary>
    private bool IsTooLateForAnother()
    {
        if (Clock.Left is not { } left)
            return false;
        var whole = Result.Trials.Where(trial => trial is { Verdict: SweepVerdict.Completed, Epochs.Count: 0 }).ToArray();
        return whole.Length > 0 && whole.Average(trial => trial.Duration.TotalSeconds) > left.TotalSeconds;
    }

    private SweepTrial? Add(JournalLine line)
    {
        SweepTrial? trial;
        try
        {
            trial = _journal.Add(line);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new JournalException($"The sweep's journal can no longer be written: {e.Message}", e);
        }

        if (trial is not null && _options.TrialChanged is { } changed)
            lock (_telling)
                changed(trial);
        return trial;
    }
}

/// <summary>The journal can no longer be kept, which ends the sweep.</summary>
internal sealed class JournalException(string message, Exception cause) : QueueException(message, cause);
