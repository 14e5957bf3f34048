using System.Diagnostics;
using System.Globalization;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Sweeps.Journal;
using Microsoft.ML.Moe.Sweeps.Schedule;
using Microsoft.ML.Moe.Sweeps.Space;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Sweeps.Running;

/// <summary>
/// A sweep over a table: the defaults alone first, on all threads, then further trials side by side, then the winner with another seed. What a trial
/// achieves, and whether it is stopped at a rung, depends on seed, space and rows alone, not on how many run side by side or how often the
/// process is killed in between; when the budget ends does depend on the machine.
/// </summary>
internal sealed class SweepRun<TOptions> : IDisposable
    where TOptions : class, new()
{
    /// <summary>Checkpoints are larger than models: what is trained faster than this begins anew after an interruption.</summary>
    private static readonly TimeSpan WorthACheckpoint = TimeSpan.FromMinutes(1);

    private readonly SearchSpace<TOptions> _space;
    private readonly SweepTask _task;
    private readonly SweepOptions _options;
    private readonly IHost _host;
    private readonly IChannel _channel;
    private readonly MLContext _ml;
    private readonly int _seed;
    private readonly SweepRows _rows;
    private readonly DataViewSchema _schema;
    private readonly TrialFit<TOptions> _fit;
    private readonly Proposals<TOptions> _proposals;
    private readonly SweepJournal _journal;
    private readonly SweepClock _clock;
    private readonly KeptModels _models;
    private readonly RungBoard _board = new();
    private readonly Lock _taking = new();
    private readonly Lock _telling = new();
    private readonly Queue<int> _unfinished = new();
    private int _next;
    private float[] _lossesOfDefaults = [];
    private volatile bool _isCanceled;

    public SweepRun(
        SearchSpace<TOptions> space,
        Func<MLContext, TOptions, IEstimator<ITransformer>> factory,
        SweepTask task,
        SweepOptions options,
        IHost host,
        IChannel channel,
        IDataView input)
    {
        (_space, _task, _options, _host, _channel, _schema) = (space, task, options, host, channel, input.Schema);
        _seed = options.Seed ?? 0;
        _ml = Environments.Beside(host, _seed);
        _rows = SweepRows.Of(input, options, _seed);
        _fit = new TrialFit<TOptions>(factory, _rows, seed => Environments.Beside(host, seed));
        _proposals = new Proposals<TOptions>(space, _seed);
        // what is wrong with the table's columns is told before anything is trained
        var shape = _fit.Create(space.Create(_proposals[0]!), _seed).GetOutputSchema(EstimatorSteps.ShapeOf(input.Schema));
        if (options.EnsembleSize > 1)
            task.CheckAverage(shape);
        var rows = options.JournalFile is null ? "" : _rows.Digest(options.LabelColumnName);
        _journal = SweepJournal.Open(
            options.JournalFile, new SweepLine(SweepLine.CurrentVersion, _seed, task.Metric, space.ToString(), rows));
        try
        {
            _clock = new SweepClock(_journal.SecondsBefore, options.TimeBudget, options.StopToken);
            _models = new KeptModels(options.EnsembleSize, _journal.Folder, _ml, _schema);
            Resume();
        }
        catch
        {
            _journal.Dispose();
            throw;
        }
    }

    /// <summary>What was found so far.</summary>
    public SweepResult Result { get; private set; } = new([], SweepMetric.Automatic, null, TimeSpan.Zero);

    /// <summary>Options of a trial.</summary>
    public TOptions OptionsOf(int trial) => _space.Create(_proposals[trial]!);

    /// <summary>Searches, and gives the winner's model or the average of the best.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="InvalidOperationException">No trial was trained; the message says why.</exception>
    public ITransformer Execute()
    {
        try
        {
            Search();
            Result = _journal.Result();
            if (Result.Best is not { } best)
                throw NothingFound();
            Confirm(best);
            return Finish(best);
        }
        finally
        {
            if (Result.Members.Count == 0)
                Result = _journal.Result();
        }
    }

    public void Dispose()
    {
        _models.Dispose();
        _journal.Dispose();
        _clock.Dispose();
    }

    /// <summary>Takes up what stands in the journal.</summary>
    private void Resume()
    {
        var ended = _journal.Result().Trials;
        foreach (var trial in ended)
        {
            if (trial.Verdict is SweepVerdict.Running or SweepVerdict.OutOfTime)
                continue;
            var (reached, best) = (new HashSet<int>(), double.PositiveInfinity);
            foreach (var epoch in trial.Epochs.Where(epoch => epoch.Loss is not null))
            {
                best = Math.Min(best, epoch.Loss!.Value);
                foreach (var rung in SuccessiveHalving.ReachedBy(epoch.Epoch, epoch.Epochs).Where(reached.Add))
                    _board.Record(rung, trial.Number, best);
            }

            _board.End(trial.Number);
        }

        _next = ended.Count == 0 ? 0 : ended[^1].Number + 1;
        // those, too, that a worker had taken, but not begun by the time that another began the next
        foreach (var number in Enumerable.Range(0, _next))
            if (IsUnfinished(number))
                _unfinished.Enqueue(number);
        _models.Resume(ended.Where(trial => trial.Loss is not null).Select(trial => (trial.Number, trial.Loss!.Value)));
        if (ended.Count > 0)
            Say($"The sweep is taken up after {ended.Count} trials and {_clock.Seconds:0} s.");
        if (_journal[0] is { Loss: not null })
            _lossesOfDefaults = ReadLossesOfDefaults();
    }

    private bool IsUnfinished(int trial) => _journal[trial] is null or { Verdict: SweepVerdict.Running or SweepVerdict.OutOfTime };

    private void Search()
    {
        var memory = Environment.WorkingSet;
        if (IsUnfinished(0) && Take() is { } defaults)
            Work(defaults, threads: null);
        if (_journal[0] is { Verdict: SweepVerdict.Completed, Duration: var duration } && _options.ConfirmWinner && _clock.Left is { } left)
            _clock.Reserve(duration * 1.2 < left / 3 ? duration * 1.2 : TimeSpan.Zero);
        var workers = Math.Min(WorkersFor(Environment.WorkingSet - memory), Math.Max(1, _options.TrialLimit - _next + _unfinished.Count));
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
            while (Take() is { } trial)
                Work(trial, threads);
        }
        catch
        {
            Cancel();
            throw;
        }
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
        _clock.Cancel();
    }

    /// <summary>The next trial's number; null when there is none or no time for it.</summary>
    private int? Take()
    {
        lock (_taking)
        {
            if (_clock.Search.IsCancellationRequested || _isCanceled || IsTooLateForAnother())
                return null;
            while (_unfinished.TryDequeue(out var number))
                if (number < _options.TrialLimit)
                    return number;
            return _next < _options.TrialLimit && _proposals[_next] is not null ? _next++ : null;
        }
    }

    /// <summary>What tells no epochs cannot be stopped amid: it is not begun when others like it took longer than there is time.</summary>
    private bool IsTooLateForAnother()
    {
        if (_clock.Left is not { } left)
            return false;
        var whole = _journal.Result().Trials.Where(trial => trial is { Verdict: SweepVerdict.Completed, Epochs.Count: 0 }).ToArray();
        return whole.Length > 0 && whole.Average(trial => trial.Duration.TotalSeconds) > left.TotalSeconds;
    }

    /// <summary>How many trials run side by side.</summary>
    /// <param name="memory">Bytes by which the process has grown with the defaults.</param>
    private int WorkersFor(long memory)
    {
        if (_options.Workers is { } given)
            return given;
        if (_space.Create(_proposals[0]!) is MoeTrainerOptions { Device: var device } && Trainers.Engines.UsesTorch(_host, device))
            return 1;
        const long Least = 64L << 20;
        var free = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes * 0.8 - Environment.WorkingSet;
        return (int)Math.Clamp(1 + free / Math.Max(Least, memory), 1, Environment.ProcessorCount);
    }

    /// <summary>Trains a trial to its end, whatever that is.</summary>
    private void Work(int number, int? threads)
    {
        var began = Stopwatch.GetTimestamp();
        var checkpoint = CheckpointOf(number);
        var isOver = false;
        try
        {
            var end = Try(number, threads, checkpoint) with
            {
                Seconds = Stopwatch.GetElapsedTime(began).TotalSeconds,
                Memory = Environment.WorkingSet,
                At = _clock.Seconds,
            };
            Add(end);
            isOver = end.Verdict is not SweepVerdict.OutOfTime;
            if (end.Loss is { } loss)
                _models.Commit(number, loss);
        }
        finally
        {
            _board.End(number);
            if (isOver && checkpoint is not null)
                TrainingCheckpoint.Delete(checkpoint);
        }
    }

    private EndLine Try(int number, int? threads, string? checkpoint)
    {
        try
        {
            try
            {
                return Train(number, threads, checkpoint);
            }
            catch (Exception e) when (e is EpochsLostException or InvalidDataException && checkpoint is not null && File.Exists(checkpoint))
            {
                // same seed, same training: beginning anew costs nothing but time
                TrainingCheckpoint.Delete(checkpoint);
                return Train(number, threads, checkpoint);
            }
        }
        catch (TrialStoppedException)
        {
            return new EndLine(number, SweepVerdict.Stopped, 0, 0, 0);
        }
        catch (OperationCanceledException) when (!_isCanceled)
        {
            return new EndLine(number, SweepVerdict.OutOfTime, 0, 0, 0);
        }
        catch (Exception e) when (!_isCanceled && !(number == 0 && e is ArgumentException) && e is not JournalException)
        {
            _channel.Warning(MessageSensitivity.None, $"Trial {number} has failed: {e.Message}");
            return new EndLine(number, SweepVerdict.Failed, 0, 0, 0) { Error = $"{e.GetType().Name}: {e.Message}" };
        }
    }

    private EndLine Train(int number, int? threads, string? checkpoint)
    {
        var values = _proposals[number]!;
        var progress = new TrialProgress(number, _board, Add, _task.LossOf, () => _clock.Seconds, _clock.Search);
        if (_journal[number] is { Verdict: SweepVerdict.Running, Epochs: { Count: > 0 } epochs } && checkpoint is not null && File.Exists(checkpoint))
        {
            progress.Resume(epochs);
        }
        else
        {
            if (checkpoint is not null)
                TrainingCheckpoint.Delete(checkpoint);
            var told = _space.ValuesOf(values).ToDictionary(value => value.Key, value => OptionText.ToJson(value.Value));
            Add(new BeginLine(number, told, _clock.Seconds));
        }

        var stop = number == 0 ? _clock.End : _clock.Search;
        var model = _fit.Fit(_space.Create(values), new TrialSetting(_seed, threads, checkpoint, progress.OnEpoch, CheckGoesOn, stop));
        try
        {
            CheckGoesOn();
            var isShort = stop.IsCancellationRequested;
            if (!isShort)
                progress.Finish();
            var (losses, metrics) = _task.Measure(model.Transform(_rows.Validation));
            var loss = _task.Join(losses);
            if (!double.IsFinite(loss))
                throw new InvalidOperationException($"The loss on the validation rows is {loss}.");
            if (number == 0)
                KeepLossesOfDefaults(losses);
            _models.Offer(number, loss, model);
            model = null;
            return new EndLine(number, isShort ? SweepVerdict.OutOfTime : SweepVerdict.Completed, 0, 0, 0) { Loss = loss, Metrics = metrics };
        }
        finally
        {
            (model as IDisposable)?.Dispose();
        }
    }

    /// <summary>Fits the winner with another seed.</summary>
    private void Confirm(SweepTrial best)
    {
        var isNeeded = _options.ConfirmWinner && best.Number > 0 && _lossesOfDefaults.Length > 0 && Result.Confirmation?.Trial != best.Number;
        if (!isNeeded || _clock.End.IsCancellationRequested)
            return;
        var seed = _seed + 1;
        try
        {
            var values = _proposals[best.Number]!;
            var model = _fit.Fit(_space.Create(values), new TrialSetting(seed, null, null, _ => CheckGoesOn(), CheckGoesOn, _clock.End));
            using var disposal = model as IDisposable;
            if (_clock.End.IsCancellationRequested)
                return;
            var (losses, _) = _task.Measure(model.Transform(_rows.Validation));
            double[] differences = [.. losses.Zip(_lossesOfDefaults, (winner, defaults) => (double)winner - defaults)];
            var mean = differences.Average();
            var variance = differences.Sum(difference => (difference - mean) * (difference - mean)) / Math.Max(1, differences.Length - 1);
            Add(new ConfirmationLine(best.Number, seed, _task.Join(losses), mean, Math.Sqrt(variance / differences.Length), _clock.Seconds));
        }
        catch (Exception e) when (e is not JournalException && !_isCanceled)
        {
            if (e is not OperationCanceledException)
                _channel.Warning(MessageSensitivity.None, $"The winner could not be fitted with another seed: {e.Message}");
        }

        Result = _journal.Result();
    }

    private ITransformer Finish(SweepTrial best)
    {
        var trials = _models.Trials;
        Result = new SweepResult(Result.Trials, Result.Metric, Result.Confirmation, Result.Duration) { Members = [best.Number] };
        var model = _models.Take(best.Number);
        Say($"Trial {best.Number} is the best of {Result.Trials.Count}: {Result.Metric} {best.Loss:0.0000}.");
        if (trials.Count < 2)
            return model;
        ITransformer[] members = [.. trials.Skip(1).Reverse().Select(_models.Take), model];
        var ensemble = Ensemble.Of(_host, _ml, _task, members, _schema);
        var loss = _task.Join(_task.Measure(ensemble.Transform(_rows.Validation)).Losses);
        Say($"The average of trials {string.Join(", ", trials)}: {loss:0.0000}.");
        if (!(loss <= best.Loss))
        {
            foreach (var member in members[..^1])
                (member as IDisposable)?.Dispose();
            return model;
        }

        Result = new SweepResult(Result.Trials, Result.Metric, Result.Confirmation, Result.Duration) { Members = trials, EnsembleLoss = loss };
        return ensemble;
    }

    private void Add(JournalLine line)
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

        CheckGoesOn();
        if (trial is null || _options.TrialChanged is not { } changed)
            return;
        lock (_telling)
            changed(trial);
    }

    private void CheckGoesOn()
    {
        if (_isCanceled)
            throw new OperationCanceledException("The sweep was cancelled.");
        try
        {
            Environments.ThrowIfCanceled(_host);
        }
        catch (OperationCanceledException)
        {
            Cancel();
            throw;
        }
    }

    private InvalidOperationException NothingFound() => Result.Trials.FirstOrDefault(trial => trial.Error is not null) is { } failed
        ? new($"No trial of the sweep could be trained. Trial {failed.Number}: {failed.Error}")
        : new($"The sweep ended before the defaults had taken a step: give it more time in {nameof(SweepOptions.TimeBudget)}.");

    private string? CheckpointOf(int trial) =>
        _journal.Folder is { } folder && (trial == 0 || _journal[0]?.Duration >= WorthACheckpoint)
            ? Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"trial-{trial:0000}.checkpoint"))
            : null;

    private string LossesFile => Path.Combine(_journal.Folder!, "defaults.losses");

    private void KeepLossesOfDefaults(float[] losses)
    {
        _lossesOfDefaults = losses;
        if (_journal.Folder is not null)
            AtomicFile.Write(LossesFile, stream => stream.Write(MemoryMarshal.AsBytes(losses.AsSpan())));
    }

    /// <summary>None where the file has gone: then the winner is compared with nothing.</summary>
    private float[] ReadLossesOfDefaults() =>
        File.Exists(LossesFile) ? MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(LossesFile)).ToArray() : [];

    private void Say(FormattableString message) => _channel.Info(MessageSensitivity.None, message.ToString(CultureInfo.InvariantCulture));
}

/// <summary>The journal can no longer be kept, which ends the sweep.</summary>
internal sealed class JournalException(string message, Exception cause) : IOException(message, cause);
