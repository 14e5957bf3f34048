using System.Globalization;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Training;

/// <summary>
/// The training loop: epochs of shuffled batches, validation after each, the best epoch's weights at the end. With a checkpoint it can
/// be interrupted anywhere: taken up again, it ends as if it had run in one go.
/// </summary>
/// <param name="schedule">Steps and their learning rates.</param>
/// <param name="objective">What is descended.</param>
/// <param name="optimizer">Takes the steps.</param>
/// <param name="parameters">Of the model; the best epoch's are kept.</param>
/// <param name="identity">Tells this training from others.</param>
/// <param name="observer">Receives the progress.</param>
/// <param name="checkpoint">Keeps the state; null keeps none.</param>
internal sealed class TrainingLoop(
    TrainingSchedule schedule,
    ITrainingObjective objective,
    Optimizer optimizer,
    IReadOnlyList<Parameter> parameters,
    TrainingIdentity identity,
    ITrainingObserver? observer,
    TrainingCheckpoint? checkpoint = null)
{
    private readonly int _stepsPerEpoch = schedule.StepsPerEpoch(objective.Examples);
    private readonly LearningRateSchedule _rates = new(
        schedule.Decay, schedule.Epochs * schedule.StepsPerEpoch(objective.Examples), schedule.WarmupShare);
    private readonly ParameterSnapshot _best = new(parameters);
    private readonly WeightAverage? _average = schedule.WeightAverage is { } decay
        ? new WeightAverage(parameters, decay, startsAtFirstUpdate: true, warmsUp: true)
        : null;

    private readonly LaterValue[] _losses = new LaterValue[schedule.AccumulationSteps];
    private readonly TrainingClock _clock = new();
    private Random _random = new(0);
    private bool _hasWarned;
    private bool _hasToldGain;
    private DataParallelSteps? _parallel;
    private TrainingProgress _progress = new();

    /// <summary>Trains until the last epoch, until it no longer gets better, or until told to stop.</summary>
    /// <exception cref="InvalidOperationException">
    /// The loss is no longer finite; the message tells epoch and learning rate. Or another rank has failed, or computes with other bits.
    /// </exception>
    /// <exception cref="InvalidDataException">The checkpoint is damaged or belongs to another training, or ranks do not train the same.</exception>
    public void Execute(CancellationToken stop)
    {
        if (schedule.Parallel is not { } parallel)
        {
            Run(stop);
            return;
        }

        if (parallel.HasStopped)
            return;
        using var steps = new DataParallelSteps(parallel, parameters, stop);
        _parallel = steps;
        KeepPacked(parallel.OwnShards > 1);
        try
        {
            Run(steps.Stop);
            steps.End();
        }
        catch (Exception e)
        {
            steps.Fail(e);
            throw;
        }
        finally
        {
            KeepPacked(false);
        }
    }

    private void KeepPacked(bool isKept)
    {
        foreach (var parameter in parameters)
            parameter.Value.KeepPackedWhileTraining(isKept);
    }

    private void Run(CancellationToken stop)
    {
        var isFinished = false;
        if (checkpoint?.TryRestore(
            schedule.Epochs, _stepsPerEpoch, parameters, optimizer, _best, out var progress, out isFinished, _average) == true)
            _progress = progress;
        if (schedule.Parallel?.Communicator.Size > 1)
            _parallel!.CheckStart(identity.Start(_progress, isFinished));
        if (isFinished)
            return;
        if (_progress.LastEpoch is { } last)
            observer?.OnResumed(last);
        var (epoch, step) = (_progress.Epoch, _progress.Step);
        while (_progress.Epoch <= schedule.Epochs && !_progress.HasConverged && !stop.IsCancellationRequested)
            RunEpoch(stop);

        if (_best.IsTaken)
            _best.Restore();
        else
            _average?.Swap();
        if (!_best.IsTaken && (epoch, step) != (_progress.Epoch, _progress.Step) && !stop.IsCancellationRequested)
            CheckLastStep();
        if (!stop.IsCancellationRequested)
            Keep(() => checkpoint?.SaveFinished(_progress, parameters));
    }

    /// <summary>The loss of a step is that before it: what the last one has done shows in another loss, of which nothing is learned.</summary>
    private void CheckLastStep()
    {
        var rows = Math.Min(objective.Examples, Math.Max(1, schedule.BatchSize / schedule.AccumulationSteps));
        objective.Prepare(Enumerable.Range(0, rows).ToArray(), schedule.RandomOf(0, 0));
        var loss = objective.Accumulate(0f).Read();
        optimizer.ClearGradients();
        if (!float.IsFinite(loss))
            throw Diverged(loss, _rates.FactorAt(Math.Max(0, StepsBefore + _progress.Step - 1)));
    }

    private void RunEpoch(CancellationToken stop)
    {
        var order = Enumerable.Range(0, objective.Examples).ToArray();
        var random = schedule.RandomOf(_progress.Epoch, 0);
        random.Shuffle(order);
        objective.Arrange(order, schedule.BatchSize, random);
        objective.BeginEpoch(_progress.Epoch, _progress.EpochState);
        _progress.EpochState = objective.EpochState;
        var (firstStep, before) = (_progress.Step, _clock.Training);
        _clock.Continue();
        RunSteps(order, stop);
        _clock.Pause();
        var rows = Math.Min(objective.Examples, (double)(_progress.Step - firstStep) * schedule.BatchSize);
        EndEpoch(rows / (_clock.Training - before).TotalSeconds);
    }

    private void RunSteps(int[] order, CancellationToken stop)
    {
        try
        {
            EvaluateIfDue();
            PrepareStep(order, _progress.Step);
            TellGain(order, stop);
            while (_progress.Step < _stepsPerEpoch && !stop.IsCancellationRequested)
            {
                RunStep(order);
                if (EvaluateIfDue())
                    PrepareStep(order, _progress.Step);
                if (_progress.Step < _stepsPerEpoch && checkpoint?.IsDue == true)
                    SaveCheckpoint();
            }
        }
        catch (OperationCanceledException)
        {
            SaveCheckpoint();
            throw;
        }

        // what an epoch that ends early does next, choosing it as the best, must not be taken up with the rest of it
        if (_progress.Step < _stepsPerEpoch)
            SaveCheckpoint();
    }

    private void SaveCheckpoint() => Keep(() => checkpoint?.Save(_progress, parameters, optimizer, _best, _average));

    /// <summary>Writes a checkpoint. Where that fails, training goes on: what there is in memory is worth more.</summary>
    private void Keep(Action save)
    {
        if (schedule.Parallel?.IsFirst == false)
            return;
        try
        {
            save();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (!_hasWarned)
                observer?.OnWarning($"The checkpoint could not be written, and training goes on without a new one: {e.Message}");
            _hasWarned = true;
        }
    }

    /// <summary>
    /// Takes the step that was prepared, and prepares the next while a device is still at work on this one: nothing waits for the device
    /// before the loss is read.
    /// </summary>
    private void RunStep(int[] order)
    {
        var batch = BatchOf(order, _progress.Step);
        var factor = _rates.FactorAt(StepsBefore + _progress.Step);
        BeginStep();
        // shared with other ranks, or in parts of this process alone
        var (loss, parts) = _parallel is null ? (0.0, PartsOf(batch)) : (_parallel.Accumulate(GradientOfShard(batch.ToArray())), 0);
        for (var part = 0; part < parts; part++)
        {
            if (part > 0)
                Prepare(batch, part);
            _losses[part] = objective.Accumulate(ShareOf(batch, part));
        }

        optimizer.ClipGradients(schedule.MaxGradientNorm);
        optimizer.Step(factor);
        _average?.Update();
        PrepareStep(order, _progress.Step + 1);
        for (var part = 0; part < parts; part++)
            loss += (double)_losses[part].Read() * ShareOf(batch, part);
        if (!double.IsFinite(loss) || !float.IsFinite(optimizer.GradientNorm))
            throw Diverged(loss, factor);
        _progress.Step++;
        _progress.LossSum += loss;
        _clock.Steps++;
        if (_parallel?.EndStep() is { } gain)
            observer?.OnMessage(gain.AfterSteps);
        observer?.OnTimeLeft(TimeLeft());
        observer?.OnStep(_progress.Epoch, _progress.Step, _stepsPerEpoch, loss);
    }

    private void BeginStep() => objective.BeginStep((StepsBefore + _progress.Step) / ((double)schedule.Epochs * _stepsPerEpoch));

    /// <summary>Tells before the first step what the ranks gain, by gradients that no step is taken with.</summary>
    private void TellGain(int[] order, CancellationToken stop)
    {
        if (_parallel is null || _hasToldGain || _progress.Step == _stepsPerEpoch || stop.IsCancellationRequested)
            return;
        _hasToldGain = true;
        BeginStep();
        if (_parallel.Probe(GradientOfShard(BatchOf(order, _progress.Step).ToArray())) is not var (gain, advice))
            return;
        observer?.OnMessage(gain.BeforeTraining);
        if (advice is not null)
            observer?.OnWarning(advice);
    }

    /// <summary>Adds the gradient of a part of a batch, as ranks share it out, and tells its part of the loss.</summary>
    private Func<int, double> GradientOfShard(int[] batch)
    {
        var shards = schedule.Parallel!.Shards;
        return shard =>
        {
            var examples = batch.AsSpan((int)((long)batch.Length * shard / shards)..(int)((long)batch.Length * (shard + 1) / shards));
            if (examples.Length == 0)
                return 0.0;
            objective.Prepare(examples, schedule.RandomOf(_progress.Epoch, _progress.Step + 1, shard));
            var share = (float)examples.Length / batch.Length;
            return objective.Accumulate(share).Read() * (double)share;
        };
    }

    /// <summary>Prepares the first part of a step, if the epoch has that step.</summary>
    private void PrepareStep(int[] order, int step)
    {
        if (step >= _stepsPerEpoch || _parallel is not null)
            return;
        _random = schedule.RandomOf(_progress.Epoch, step + 1);
        Prepare(BatchOf(order, step), 0);
    }

    private void Prepare(ReadOnlySpan<int> batch, int part) =>
        objective.Prepare(batch[StartOf(batch, part)..StartOf(batch, part + 1)], _random);

    private ReadOnlySpan<int> BatchOf(int[] order, int step)
    {
        var start = step * schedule.BatchSize;
        return order.AsSpan(start, Math.Min(schedule.BatchSize, order.Length - start));
    }

    private int PartsOf(ReadOnlySpan<int> batch) => Math.Min(schedule.AccumulationSteps, batch.Length);

    private int StartOf(ReadOnlySpan<int> batch, int part) => batch.Length * part / PartsOf(batch);

    private float ShareOf(ReadOnlySpan<int> batch, int part) =>
        (float)(StartOf(batch, part + 1) - StartOf(batch, part)) / batch.Length;

    /// <summary>Evaluates within an epoch, where that is asked for and has not been done.</summary>
    /// <returns>Whether it was: what was prepared is lost.</returns>
    private bool EvaluateIfDue()
    {
        var isDue = _progress.Step < _stepsPerEpoch && (StepsBefore + _progress.Step) % schedule.EvaluationSteps == 0;
        if (!isDue || _progress.Step == _progress.EvaluatedStep)
            return false;
        if (Evaluate() is not { } result)
            return false;
        _progress.EvaluatedStep = _progress.Step;
        var score = result.Score is { } value ? string.Create(CultureInfo.InvariantCulture, $", score {value:F4}") : "";
        // of a training that has just been taken up nothing is known
        var left = _clock.Steps > 0 ? $", {TrainingClock.ToText(TimeLeft())}" : "";
        observer?.OnMessage(string.Create(
            CultureInfo.InvariantCulture, $"Step {StepsBefore + _progress.Step}: validation loss {result.Loss:F4}{score}{left}."));
        return true;
    }

    /// <summary>Evaluates, and keeps the weights if they are the best.</summary>
    private ValidationResult? Evaluate()
    {
        _average?.Swap();
        try
        {
            return EvaluateWeights();
        }
        finally
        {
            _average?.Swap();
        }
    }

    private ValidationResult? EvaluateWeights()
    {
        _clock.Pause();
        var evaluation = _clock.Evaluate(objective.Evaluate);
        _clock.Continue();
        if (evaluation is not { } result)
            return null;
        if (!double.IsFinite(result.Loss))
            throw Diverged(result.Loss, _rates.FactorAt(Math.Max(0, StepsBefore + _progress.Step - 1)));
        var isBest = result.Criterion < _progress.Best || !_best.IsTaken;
        if (isBest)
        {
            _best.Take();
            (_progress.Best, _progress.IsBestOfEpoch) = (result.Criterion, true);
        }

        observer?.OnEvaluation(new EvaluationReport(
            _progress.Epoch, StepsBefore + _progress.Step, result.Loss, result.Metric, isBest) { Score = result.Score });
        return result;
    }

    private void EndEpoch(double rowsPerSecond)
    {
        var result = Evaluate();
        _clock.Pause();
        var isBest = result is null || _progress.IsBestOfEpoch;
        var rate = schedule.LearningRate * _rates.FactorAt(Math.Max(0, StepsBefore + _progress.Step - 1));
        var report = new EpochReport(
            _progress.Epoch,
            schedule.Epochs,
            _progress.LossSum / Math.Max(1, _progress.Step),
            result?.Loss,
            result?.Metric,
            rate,
            rowsPerSecond,
            isBest)
        {
            Score = result?.Score,
            TimeLeft = TimeLeft(),
        };
        if (_progress.Step == _stepsPerEpoch)
            BeginNextEpoch(result is not null, isBest, report);
        // last, so that an observer that throws loses nothing
        observer?.OnEpoch(report);
    }

    private void BeginNextEpoch(bool isEvaluated, bool isBest, EpochReport report)
    {
        var sinceBest = isBest ? 0 : _progress.EpochsSinceBest + 1;
        _progress = new TrainingProgress
        {
            Epoch = _progress.Epoch + 1,
            Best = _progress.Best,
            EpochsSinceBest = sinceBest,
            HasConverged = isEvaluated && sinceBest >= schedule.Patience,
            LastEpoch = report,
        };
        SaveCheckpoint();
    }

    private InvalidOperationException Diverged(double loss, float factor) => new(
        $"Training diverged: the loss is {loss} in epoch {_progress.Epoch} at learning rate {schedule.LearningRate * factor:G3}. "
        + DivergenceAdvice.Of(schedule.Sizes));

    private TimeSpan TimeLeft()
    {
        var (steps, done) = (schedule.Epochs * _stepsPerEpoch, StepsBefore + _progress.Step);
        var evaluations = schedule.Epochs - _progress.Epoch + (_progress.Step < _stepsPerEpoch ? 1 : 0)
            + (schedule.EvaluationSteps is { } every ? steps / every - done / every : 0);
        return _clock.Left(steps - done, evaluations);
    }

    private int StepsBefore => (_progress.Epoch - 1) * _stepsPerEpoch;
}
