using Microsoft.ML.Moe.Sweeps.Journal;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Sweeps.Running;

/// <summary>A sweep whose trials are trained by workers in several processes. All of them keep a checkpoint.</summary>
internal sealed class SweepWork<TOptions> : IQueueWork
    where TOptions : class, new()
{
    private readonly SweepSetup<TOptions> _setup;
    private readonly IChannel _channel;
    private readonly TrialWorker<TOptions> _worker;

    public SweepWork(SweepSetup<TOptions> setup)
    {
        (_setup, _channel) = (setup, setup.Host.Start("Sweep"));
        var folder = SweepJournal.FolderOf(setup.Options.JournalFile!);
        _worker = new TrialWorker<TOptions>(setup, Models(folder), folder, _channel);
    }

    public SweepOptions Options => _setup.Options;

    public SweepLine Sweep => _setup.Sweep;

    public bool HasWinner => true;

    public SweepQueue Open()
    {
        var journal = SweepJournal.Open(Options.JournalFile, Sweep);
        try
        {
            return new SweepQueue(Options, journal, Models(journal.Folder!), _setup.Told, TimeSpan.Zero);
        }
        catch
        {
            journal.Dispose();
            throw;
        }
    }

    public EndLine Work(TrialLease lease, int? threads, ITrialReports reports) => _worker.Work(lease, threads, reports);

    public ConfirmationLine? Confirm(int trial, ITrialReports reports) => _worker.Confirm(trial, reports);

    public FinishLine Finish(IReadOnlyList<int> trials, double loss)
    {
        var (model, members, average) = _worker.Finish(trials, loss);
        using var disposal = model as IDisposable;
        var file = Path.ChangeExtension(Path.GetFullPath(Options.JournalFile!), ".zip");
        _setup.Ml.Model.SaveAtomically(model, _setup.Schema, file);
        return new FinishLine(members, Path.GetFileName(file), average, 0);
    }

    public void Dispose() => _channel.Dispose();

    private KeptModels Models(string folder) => new(Options.EnsembleSize, folder, _setup.Ml, _setup.Schema);
}
