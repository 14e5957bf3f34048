using System.Globalization;
using System.Runtime.ExceptionServices;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Sweeps.Journal;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Sweeps.Running;

/// <summary>
/// A sweep within this process: the defaults alone first, on all threads, then further trials side by side, then the winner with another
/// seed. What a trial achieves, and whether it is stopped at a rung, depends on seed, space and rows alone, not on how many run side by side
/// or how often the process is killed in between; when the budget ends does depend on the machine.
/// </summary>
internal sealed class SweepRun<TOptions> : IDisposable
    where TOptions : class, new()
{
    /// <summary>Checkpoints are larger than models: what is trained faster than this begins anew after an interruption.</summary>
    private static readonly TimeSpan WorthACheckpoint = TimeSpan.FromMinutes(1);

    private readonly SweepSetup<TOptions> _setup;
    private readonly IChannel _channel;
    private readonly KeptModels _models;
    private readonly SweepQueue _queue;
    private readonly TrialWorker<TOptions> _worker;
    private volatile bool _isCanceled;

    public SweepRun(SweepSetup<TOptions> setup, IChannel channel)
    {
        (_setup, _channel) = (setup, channel);
        var journal = SweepJournal.Open(setup.Options.JournalFile, setup.Sweep);
        try
        {
            _models = new KeptModels(setup.Options.EnsembleSize, journal.Folder, setup.Ml, setup.Schema);
            _queue = new SweepQueue(setup.Options, journal, _models, setup.Told, WorthACheckpoint);
        }
        catch
        {
            journal.Dispose();
            throw;
        }

        _worker = new TrialWorker<TOptions>(setup, _models, journal.Folder, channel);
        if (_queue.Result.Trials.Count is > 0 and var trials)
            Say($"The sweep is taken up after {trials} trials and {_queue.Clock.Seconds:0} s.");
    }

    /// <summary>What was found so far.</summary>
    public SweepResult Result { get; private set; } = new([], SweepMetric.Automatic, null, TimeSpan.Zero);

    /// <summary>Searches, and gives the winner's model or the average of the best.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="InvalidOperationException">No trial was trained; the message says why.</exception>
    public ITransformer Execute()
    {
        try
        {
            Search();
            Result = _queue.Result;
            if (Result.Best is not { } best)
                throw SweepQueue.NothingFound(Result);
            var reports = new Reports(this, best.Number, _queue.Clock.End);
            if (_queue.IsToBeConfirmed(Result) && _worker.Confirm(best.Number, reports) is { } confirmation)
                _queue.Note(confirmation);
            Result = _queue.Result;
            return Finish(best);
        }
        finally
        {
            if (Result.Members.Count == 0)
                Result = _queue.Result;
        }
    }

    public void Dispose()
    {
        _models.Dispose();
        _queue.Dispose();
    }

    private void Search()
    {
        var memory = Environment.WorkingSet;
        if (_queue.IsUnfinished(0) && _queue.Take() is { } defaults)
            Work(defaults, threads: null);
        var workers = Math.Min(WorkersFor(Environment.WorkingSet - memory), _queue.Left);
        var tasks = Enumerable.Range(0, workers)
            .Select(_ => Task.Factory.StartNew(
                () => WorkThrough(workers > 1 ? 1 : null), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))
            .ToArray();
        Await(tasks);
    }

    private void WorkThrough(int? threads)
    {
        try
        {
            while (_queue.Take() is { } lease)
                Work(lease, threads);
        }
        catch
        {
            Cancel();
            throw;
        }
    }

    private void Work(TrialLease lease, int? threads)
    {
        var stop = lease.Trial == 0 ? _queue.Clock.End : _queue.Clock.Search;
        _queue.End(_worker.Work(lease, threads, new Reports(this, lease.Trial, stop)));
        CheckGoesOn();
    }

    /// <summary>Waits for what other threads do, and cancels it when the context is cancelled.</summary>
    private void Await(Task[] tasks)
    {
        const int Poll = 100;
        OperationCanceledException? canceled = null;
        while (!Task.WhenAll(tasks).ContinueWith(static _ => { }, TaskScheduler.Default).Wait(Poll))
        {
            try
            {
                CheckGoesOn();
            }
            catch (OperationCanceledException e)
            {
                canceled ??= e;
            }
        }

        // what went wrong in one of them has cancelled the others
        var errors = tasks.Select(task => task.Exception?.InnerException).OfType<Exception>();
        foreach (var error in errors.OrderBy(error => error is OperationCanceledException))
            ExceptionDispatchInfo.Throw(error);
        if (canceled is not null)
            throw canceled;
    }

    private void Cancel()
    {
        _isCanceled = true;
        _queue.Clock.Cancel();
    }

    /// <summary>How many trials run side by side.</summary>
    /// <param name="memory">Bytes by which the process has grown with the defaults.</param>
    private int WorkersFor(long memory)
    {
        if (_setup.Options.Workers is { } given)
            return given;
        if (_setup.OptionsOf(0) is MoeTrainerOptions { Device: var device } && Trainers.Engines.UsesTorch(_setup.Host, device))
            return 1;
        const long Least = 64L << 20;
        var free = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes * 0.8 - Environment.WorkingSet;
        return (int)Math.Clamp(1 + free / Math.Max(Least, memory), 1, DefaultThreads.Count);
    }

    private ITransformer Finish(SweepTrial best)
    {
        Say($"Trial {best.Number} is the best of {Result.Trials.Count}: {Result.Metric} {best.Loss:0.0000}.");
        var (model, members, loss) = _worker.Finish(_models.Trials, best.Loss!.Value);
        Result = new SweepResult(Result.Trials, Result.Metric, Result.Confirmation, Result.Duration) { Members = members, EnsembleLoss = loss };
        return model;
    }

    private void CheckGoesOn()
    {
        if (_isCanceled)
            throw new OperationCanceledException("The sweep was cancelled.");
        try
        {
            Environments.ThrowIfCanceled(_setup.Host);
        }
        catch (OperationCanceledException)
        {
            Cancel();
            throw;
        }
    }

    private void Say(FormattableString message) => _channel.Info(MessageSensitivity.None, message.ToString(CultureInfo.InvariantCulture));

    /// <summary>The queue beside the worker.</summary>
    private sealed class Reports(SweepRun<TOptions> run, int trial, CancellationToken stop) : ITrialReports
    {
        public CancellationToken Stop => stop;

        public bool IsCanceled => run._isCanceled;

        public void CheckGoesOn() => run.CheckGoesOn();

        public void Begin()
        {
            run._queue.Begin(trial);
            CheckGoesOn();
        }

        public bool Report(EpochLine epoch)
        {
            run._queue.Report(epoch);
            CheckGoesOn();
            return GoesOn();
        }

        public bool GoesOn() => run._queue.Await(trial, run._queue.Clock.Search);
    }
}
