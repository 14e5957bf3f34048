using System.Diagnostics;
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
/// <param name="observer">Receives the progress.</param>
/// <param name="checkpoint">Keeps the state; null keeps none.</param>
internal sealed class TrainingLoop(
    TrainingSchedule schedule,
    ITrainingObjective objective,
    Optimizer optimizer,
    IReadOnlyList<Parameter> parameters,
    ITrainingObserver? observer,
    TrainingCheckpoint? checkpoint = null)
{
    private readonly int _stepsPerEpoch = schedule.StepsPerEpoch(objective.Examples);
    private readonly LearningRateSchedule _rates = new(
        schedule.Decay, schedule.Epochs * schedule.StepsPerEpoch(objective.Examples), schedule.WarmupShare);
    private readonly ParameterSnapshot _best = new(parameters);
    private readonly LaterValue[] _losses = new LaterValue[schedule.AccumulationSteps];
    private Random _random = new(0);
    private TrainingProgress _progress = new();

    /// <summary>Trains until the last epoch, until it no longer gets better, or until told to stop.</summary>
    /// <exception cref="InvalidOperationException">The loss is no longer finite; the message tells epoch and learning rate.</exception>
    /// <exception cref="InvalidDataException">The checkpoint is damaged or belongs to another training.</exception>
    public void Execute(CancellationToken stop)
    {
        if (checkpoint?.TryRestore(parameters, optimizer, _best, out var progress) == true)
            _progress = progress;
        while (_progress.Epoch <= schedule.Epochs && !_progress.HasConverged && !stop.IsCancellationRequested)
            RunEpoch(stop);

        if (_best.IsTaken)
            _best.Restore();
        if (!stop.IsCancellationRequested)
            checkpoint?.Delete();
    }

    private void RunEpoch(CancellationToken stop)
    {
        var order = Enumerable.Range(0, objective.Examples).ToArray();
        schedule.RandomOf(_progress.Epoch, 0).Shuffle(order);
        objective.BeginEpoch(_progress.Epoch);
        var watch = Stopwatch.StartNew();
        var firstStep = _progress.Step;
        RunSteps(order, stop);
        var rows = Math.Min(objective.Examples, (double)(_progress.Step - firstStep) * schedule.BatchSize);
        EndEpoch(rows / watch.Elapsed.TotalSeconds);
    }

    private void RunSteps(int[] order, CancellationToken stop)
    {
        try
        {
            PrepareStep(order, _progress.Step);
            while (_progress.Step < _stepsPerEpoch && !stop.IsCancellationRequested)
            {
                RunStep(order);
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

    private void SaveCheckpoint() => checkpoint?.Save(_progress, parameters, optimizer, _best);

    /// <summary>
    /// Takes the step that was prepared, and prepares the next while a device is still at work on this one: nothing waits for the device
    /// before the loss is read.
    /// </summary>
    private void RunStep(int[] order)
    {
        var batch = BatchOf(order, _progress.Step);
        var factor = _rates.FactorAt(StepsBefore + _progress.Step);
        objective.BeginStep((StepsBefore + _progress.Step) / ((double)schedule.Epochs * _stepsPerEpoch));
        for (var part = 0; part < PartsOf(batch); part++)
        {
            if (part > 0)
                Prepare(batch, part);
            _losses[part] = objective.Accumulate(ShareOf(batch, part));
        }

        optimizer.ClipGradients(schedule.MaxGradientNorm);
        optimizer.Step(factor);
        PrepareStep(order, _progress.Step + 1);
        var loss = 0.0;
        for (var part = 0; part < PartsOf(batch); part++)
            loss += (double)_losses[part].Read() * ShareOf(batch, part);
        if (!double.IsFinite(loss) || !float.IsFinite(optimizer.GradientNorm))
            throw new InvalidOperationException(
                $"Training diverged: the loss is {loss} in epoch {_progress.Epoch} at learning rate {schedule.LearningRate * factor:G3}. "
                + $"Lower {nameof(schedule.LearningRate)} or {nameof(schedule.MaxGradientNorm)}, or raise {nameof(schedule.WarmupShare)}.");
        _progress.Step++;
        _progress.LossSum += loss;
        observer?.OnStep(_progress.Epoch, _progress.Step, _stepsPerEpoch, loss);
    }

    /// <summary>Prepares the first part of a step, if the epoch has that step.</summary>
    private void PrepareStep(int[] order, int step)
    {
        if (step >= _stepsPerEpoch)
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

    private void EndEpoch(double rowsPerSecond)
    {
        var result = objective.Evaluate();
        var isBest = result is not { } scored || scored.Loss < _progress.BestLoss || !_best.IsTaken;
        if (result is not null && isBest)
            _best.Take();
        var rate = schedule.LearningRate * _rates.FactorAt(Math.Max(0, StepsBefore + _progress.Step - 1));
        var report = new EpochReport(
            _progress.Epoch,
            schedule.Epochs,
            _progress.LossSum / Math.Max(1, _progress.Step),
            result?.Loss,
            result?.Metric,
            rate,
            rowsPerSecond,
            isBest);
        if (_progress.Step == _stepsPerEpoch)
            BeginNextEpoch(result?.Loss, isBest);
        // last, so that an observer that throws loses nothing
        observer?.OnEpoch(report);
    }

    private void BeginNextEpoch(double? validationLoss, bool isBest)
    {
        var sinceBest = isBest ? 0 : _progress.EpochsSinceBest + 1;
        _progress = new TrainingProgress
        {
            Epoch = _progress.Epoch + 1,
            BestLoss = isBest ? validationLoss ?? _progress.BestLoss : _progress.BestLoss,
            EpochsSinceBest = sinceBest,
            HasConverged = validationLoss is not null && sinceBest >= schedule.Patience,
        };
        SaveCheckpoint();
    }

    private int StepsBefore => (_progress.Epoch - 1) * _stepsPerEpoch;
}
