using Microsoft.ML.Moe.Sweeps.Journal;
using Microsoft.ML.Moe.Sweeps.Schedule;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Sweeps.Running;

/// <summary>Follows the epochs of a trial: writes them down, and stops it at a rung.</summary>
/// <param name="trial">Number of the trial.</param>
/// <param name="board">Decides at rungs.</param>
/// <param name="add">Writes a line down.</param>
/// <param name="lossOf">What an epoch counts.</param>
/// <param name="now">Seconds since the sweep began.</param>
/// <param name="stop">Ends waiting at rungs.</param>
internal sealed class TrialProgress(
    int trial, RungBoard board, Action<JournalLine> add, Func<EpochReport, double?> lossOf, Func<double> now, CancellationToken stop)
{
    private readonly HashSet<int> _rungs = [];
    private (int Epoch, int Epochs)? _last;
    private double _best = double.PositiveInfinity;

    /// <summary>Whether the next epoch is the first after the trial was taken up again.</summary>
    private bool _isResumed;

    /// <summary>Whether an epoch was completed.</summary>
    public bool HasEpochs => _last is not null;

    /// <summary>Takes up the epochs that are written down.</summary>
    /// <exception cref="TrialStoppedException">It stops at a rung.</exception>
    public void Resume(IEnumerable<SweepEpoch> epochs)
    {
        foreach (var epoch in epochs)
            Follow(epoch.Epoch, epoch.Epochs, epoch.Loss);
        _isResumed = true;
    }

    /// <summary>An epoch has ended.</summary>
    /// <exception cref="TrialStoppedException">The trial stops at a rung.</exception>
    /// <exception cref="EpochsLostException">It was taken up at a later epoch than that after the last written down.</exception>
    public void OnEpoch(EpochReport report)
    {
        if (_isResumed && _last is var (epoch, epochs) && report.Epoch != epoch + 1 && (report.Epoch != 1 || epoch != epochs))
            throw new EpochsLostException();
        _isResumed = false;
        var loss = lossOf(report);
        add(new EpochLine(trial, report.Epoch, report.Epochs, report.TrainingLoss, loss, now()));
        Follow(report.Epoch, report.Epochs, loss);
    }

    /// <summary>The trial has been trained to its end.</summary>
    /// <exception cref="EpochsLostException">It was taken up after epochs that are not written down.</exception>
    public void Finish()
    {
        if (_isResumed && _last is var (epoch, epochs) && epoch != epochs)
            throw new EpochsLostException();
    }

    private void Follow(int epoch, int epochs, double? loss)
    {
        _last = (epoch, epochs);
        _best = Math.Min(_best, loss ?? double.PositiveInfinity);
        if (loss is null)
            return;
        // a second round of training begins anew, but is compared no more
        foreach (var rung in SuccessiveHalving.ReachedBy(epoch, epochs).Where(_rungs.Add))
            if (!board.Report(rung, trial, _best, stop))
                throw new TrialStoppedException();
    }
}

/// <summary>A trial is not among those that go on.</summary>
internal sealed class TrialStoppedException() : Exception("The trial was stopped at a rung.");

/// <summary>A trial that was taken up from a checkpoint lacks an epoch in the journal, so it has to begin anew.</summary>
internal sealed class EpochsLostException() : Exception("An epoch was completed, but not written down, before the sweep was interrupted.");
