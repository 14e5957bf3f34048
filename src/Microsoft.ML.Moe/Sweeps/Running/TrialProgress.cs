using Microsoft.ML.Moe.Sweeps.Journal;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Sweeps.Running;

/// <summary>Follows the epochs of a trial: has them written down, and stops it at a rung.</summary>
/// <param name="trial">Number of the trial.</param>
/// <param name="reports">Is told of them.</param>
/// <param name="lossOf">What an epoch counts.</param>
internal sealed class TrialProgress(int trial, ITrialReports reports, Func<EpochReport, double?> lossOf)
{
    private (int Epoch, int Epochs)? _last;

    /// <summary>Whether the next epoch is the first after the trial was taken up again.</summary>
    private bool _isResumed;

    /// <summary>Takes up the epochs that are written down.</summary>
    /// <exception cref="TrialStoppedException">It stops at a rung.</exception>
    public void Resume(IReadOnlyList<SweepEpoch> epochs)
    {
        (_last, _isResumed) = ((epochs[^1].Epoch, epochs[^1].Epochs), true);
        CheckGoesOn(reports.GoesOn());
    }

    /// <summary>
    /// Training has been taken up after an epoch, which may have been completed, but not written down, before the interruption.
    /// </summary>
    /// <exception cref="TrialStoppedException">The trial stops at a rung.</exception>
    public void OnRecalled(EpochReport report)
    {
        // of rounds of one epoch the same would look like the next
        if (_isResumed && report.Epoch != _last?.Epoch && IsNext(report))
            OnEpoch(report);
    }

    /// <summary>An epoch has ended.</summary>
    /// <exception cref="TrialStoppedException">The trial stops at a rung.</exception>
    /// <exception cref="EpochsLostException">It was taken up at a later epoch than that after the last written down.</exception>
    public void OnEpoch(EpochReport report)
    {
        if (_isResumed && !IsNext(report))
            throw new EpochsLostException();
        (_last, _isResumed) = ((report.Epoch, report.Epochs), false);
        CheckGoesOn(reports.Report(new EpochLine(trial, report.Epoch, report.Epochs, report.TrainingLoss, lossOf(report), 0)));
    }

    /// <summary>The trial has been trained to its end.</summary>
    /// <exception cref="EpochsLostException">It was taken up after epochs that are not written down.</exception>
    public void Finish()
    {
        if (_isResumed && _last is var (epoch, epochs) && epoch != epochs)
            throw new EpochsLostException();
    }

    /// <summary>Whether an epoch is that after the last written down, or the first of another round.</summary>
    private bool IsNext(EpochReport report) =>
        _last is not var (epoch, epochs) || report.Epoch == epoch + 1 || (report.Epoch == 1 && epoch == epochs);

    private static void CheckGoesOn(bool goesOn)
    {
        if (!goesOn)
            throw new TrialStoppedException();
    }
}

/// <summary>A trial is not among those that go on.</summary>
internal sealed class TrialStoppedException() : Exception("The trial was stopped at a rung.");

/// <summary>A trial that was taken up from a checkpoint lacks an epoch in the journal, so it has to begin anew.</summary>
internal sealed class EpochsLostException() : Exception("An epoch was completed, but not written down, before the sweep was interrupted.");
