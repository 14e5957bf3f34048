using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.ML.Moe.Sweeps.Journal;

namespace Microsoft.ML.Moe.Sweeps.Running;

/// <summary>Work in a number of parts, all of which are wanted: the queue of a sweep with one rung, the end.</summary>
internal abstract class PartsWork : IQueueWork
{
    private readonly MLContext _ml;
    private readonly IDataView _table;
    private readonly string _what;
    private readonly int _parts;

    /// <param name="ml">Its context.</param>
    /// <param name="table">The table.</param>
    /// <param name="options">Where the journal is, and the seed.</param>
    /// <param name="what">What a part is called.</param>
    /// <param name="parts">How many there are.</param>
    /// <param name="rows">Digest of what the work is about.</param>
    protected PartsWork(MLContext ml, IDataView table, SweepOptions options, string what, int parts, string rows)
    {
        (_ml, _table, _what, _parts, Options) = (ml, table, what, parts, options.Clone());
        (Options.MaxTrials, Options.TimeBudget, Options.ConfirmWinner) = (parts, null, false);
        var text = string.Create(CultureInfo.InvariantCulture, $"{parts} parts: {what}");
        Sweep = new SweepLine(SweepLine.CurrentVersion, Options.Seed ?? 0, Options.Metric, text, rows);
    }

    public SweepOptions Options { get; }

    public SweepLine Sweep { get; }

    public bool HasWinner => false;

    public SweepQueue Open()
    {
        var journal = SweepJournal.Open(Options.JournalFile, Sweep);
        try
        {
            // what a part leaves behind is its own affair
            var none = new KeptModels(0, journal.Folder, _ml, _table.Schema);
            return new SweepQueue(Options, journal, none, Told, TimeSpan.Zero);
        }
        catch
        {
            journal.Dispose();
            throw;
        }
    }

    public EndLine Work(TrialLease lease, int? threads, ITrialReports reports)
    {
        var began = Stopwatch.GetTimestamp();
        reports.Begin();
        var end = new EndLine(lease.Trial, SweepVerdict.OutOfTime, 0, 0, 0);
        try
        {
            var (loss, metrics) = Do(lease.Trial, threads, reports);
            reports.CheckGoesOn();
            if (!reports.Stop.IsCancellationRequested)
                end = end with { Verdict = SweepVerdict.Completed, Loss = loss, Metrics = metrics };
        }
        catch (Exception e) when (!reports.IsCanceled && e is not QueueException)
        {
            end = end with { Verdict = SweepVerdict.Failed, Error = $"{e.GetType().Name}: {e.Message}" };
        }

        return end with { Seconds = Stopwatch.GetElapsedTime(began).TotalSeconds, Memory = Environment.WorkingSet };
    }

    public ConfirmationLine? Confirm(int trial, ITrialReports reports) => null;

    public FinishLine Finish(IReadOnlyList<int> trials, double loss) => new([], null, null, 0);

    public virtual void Dispose()
    {
    }

    /// <summary>Does a part.</summary>
    /// <param name="part">Its number, from 0.</param>
    /// <param name="threads">Threads of a trainer of this library; null for all.</param>
    /// <param name="reports">Says whether it goes on.</param>
    /// <returns>What it counts, if anything, and further figures.</returns>
    protected abstract (double? Loss, Dictionary<string, double> Metrics) Do(int part, int? threads, ITrialReports reports);

    private Dictionary<string, JsonNode?>? Told(int part) => part < _parts ? new() { [_what] = part } : null;
}
