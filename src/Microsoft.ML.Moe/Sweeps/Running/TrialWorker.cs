using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Sweeps.Journal;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Sweeps.Running;

/// <summary>
/// Trains what the queue gives out: trials, and the winner with another seed. What a trial achieves depends on seed, space and rows alone. For
/// several threads.
/// </summary>
/// <param name="setup">The sweep.</param>
/// <param name="models">Receives the models.</param>
/// <param name="folder">Where the losses of the defaults are kept, beside models and checkpoints; null for nowhere.</param>
/// <param name="channel">Is told of failures.</param>
internal sealed class TrialWorker<TOptions>(SweepSetup<TOptions> setup, KeptModels models, string? folder, IChannel channel)
    where TOptions : class, new()
{
    private float[]? _lossesOfDefaults;

    /// <summary>Trains a trial to its end, whatever that is.</summary>
    /// <param name="lease">The trial.</param>
    /// <param name="threads">Threads of a trainer of this library; null for all.</param>
    /// <param name="reports">Is told how it goes.</param>
    /// <returns>How it has ended, which the queue has not been told.</returns>
    /// <exception cref="QueueException">The queue can no longer be told.</exception>
    public EndLine Work(TrialLease lease, int? threads, ITrialReports reports)
    {
        var began = Stopwatch.GetTimestamp();
        return Try(lease, threads, reports) with { Seconds = Stopwatch.GetElapsedTime(began).TotalSeconds, Memory = Environment.WorkingSet };
    }

    /// <summary>Fits a trial with another seed, and compares it with the defaults.</summary>
    /// <returns>null where there was no time, or it could not be fitted, or the losses of the defaults have gone.</returns>
    public ConfirmationLine? Confirm(int trial, ITrialReports reports)
    {
        var defaults = _lossesOfDefaults ??= ReadLossesOfDefaults();
        if (defaults.Length == 0)
            return null;
        var seed = setup.Seed + 1;
        try
        {
            var model = setup.Fit.Fit(
                setup.OptionsOf(trial), new TrialSetting(seed, null, null, _ => reports.CheckGoesOn(), null, reports.CheckGoesOn, reports.Stop));
            using var disposal = model as IDisposable;
            if (reports.Stop.IsCancellationRequested)
                return null;
            var (losses, _) = setup.Task.Measure(model, setup.Rows.Validation);
            double[] differences = [.. losses.Zip(defaults, (winner, other) => (double)winner - other)];
            var mean = differences.Average();
            var variance = differences.Sum(difference => (difference - mean) * (difference - mean)) / Math.Max(1, differences.Length - 1);
            return new ConfirmationLine(trial, seed, setup.Task.Join(losses), mean, Math.Sqrt(variance / differences.Length), 0);
        }
        catch (Exception e) when (e is not QueueException && !reports.IsCanceled)
        {
            if (e is not OperationCanceledException)
                channel.Warning(MessageSensitivity.None, $"The winner could not be fitted with another seed: {e.Message}");
            return null;
        }
    }

    /// <summary>The model of a sweep that has ended: the best, or the average of some if that is better on the validation rows.</summary>
    /// <param name="trials">The trials that are kept, best first.</param>
    /// <param name="loss">Loss of the best.</param>
    /// <returns>The model, the trials that it averages, and what it counts where those are several.</returns>
    public (ITransformer Model, IReadOnlyList<int> Members, double? Loss) Finish(IReadOnlyList<int> trials, double loss)
    {
        var model = models.Take(trials[0]);
        if (trials.Count < 2)
            return (model, trials, null);
        ITransformer[] members = [.. trials.Skip(1).Reverse().Select(models.Take), model];
        var ensemble = Ensemble.Of(setup.Host, setup.Ml, setup.Task, members, setup.Schema);
        var average = setup.Task.Join(setup.Task.Measure(ensemble, setup.Rows.Validation).Losses);
        channel.Info(
            MessageSensitivity.None,
            string.Create(CultureInfo.InvariantCulture, $"The average of trials {string.Join(", ", trials)}: {average:0.0000}."));
        if (average <= loss)
            return (ensemble, trials, average);
        foreach (var member in members[..^1])
            (member as IDisposable)?.Dispose();
        return (model, [trials[0]], null);
    }

    private EndLine Try(TrialLease lease, int? threads, ITrialReports reports)
    {
        try
        {
            try
            {
                return Train(lease, threads, reports);
            }
            catch (Exception e) when (e is EpochsLostException or InvalidDataException && File.Exists(lease.CheckpointFile))
            {
                // same seed, same training: beginning anew costs nothing but time
                return Train(lease with { Epochs = [] }, threads, reports);
            }
        }
        catch (TrialStoppedException)
        {
            return new EndLine(lease.Trial, SweepVerdict.Stopped, 0, 0, 0);
        }
        catch (OperationCanceledException) when (!reports.IsCanceled)
        {
            return new EndLine(lease.Trial, SweepVerdict.OutOfTime, 0, 0, 0);
        }
        catch (Exception e) when (!reports.IsCanceled && !(lease.Trial == 0 && e is ArgumentException) && e is not QueueException)
        {
            channel.Warning(MessageSensitivity.None, $"Trial {lease.Trial} has failed: {e.Message}");
            return new EndLine(lease.Trial, SweepVerdict.Failed, 0, 0, 0) { Error = $"{e.GetType().Name}: {e.Message}" };
        }
    }

    private EndLine Train(TrialLease lease, int? threads, ITrialReports reports)
    {
        var progress = new TrialProgress(lease.Trial, reports, setup.Task.LossOf);
        if (lease.Epochs.Count > 0)
        {
            progress.Resume(lease.Epochs);
        }
        else
        {
            if (lease.CheckpointFile is { } checkpoint)
                TrainingCheckpoint.Delete(checkpoint);
            reports.Begin();
        }

        var setting = new TrialSetting(
            setup.Seed, threads, lease.CheckpointFile, progress.OnEpoch, progress.OnRecalled, reports.CheckGoesOn, reports.Stop);
        var model = setup.Fit.Fit(setup.OptionsOf(lease.Trial), setting);
        try
        {
            reports.CheckGoesOn();
            var isShort = reports.Stop.IsCancellationRequested;
            if (!isShort)
                progress.Finish();
            var (losses, metrics) = setup.Task.Measure(model, setup.Rows.Validation);
            var loss = setup.Task.Join(losses);
            if (!double.IsFinite(loss))
                throw new InvalidOperationException($"The loss on the validation rows is {loss}.");
            if (lease.Trial == 0)
                KeepLossesOfDefaults(losses);
            models.Offer(lease.Trial, loss, model);
            model = null;
            var verdict = isShort ? SweepVerdict.OutOfTime : SweepVerdict.Completed;
            return new EndLine(lease.Trial, verdict, 0, 0, 0) { Loss = loss, Metrics = metrics };
        }
        finally
        {
            (model as IDisposable)?.Dispose();
        }
    }

    private string LossesFile => Path.Combine(folder!, "defaults.losses");

    private void KeepLossesOfDefaults(float[] losses)
    {
        _lossesOfDefaults = losses;
        if (folder is not null)
            AtomicFile.Write(LossesFile, stream => stream.Write(MemoryMarshal.AsBytes(losses.AsSpan())));
    }

    /// <summary>None where the file has gone: then the winner is compared with nothing.</summary>
    private float[] ReadLossesOfDefaults() =>
        folder is not null && File.Exists(LossesFile) ? MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(LossesFile)).ToArray() : [];
}
