using System.Globalization;
using Microsoft.ML.Moe.Sweeps.Journal;
using Microsoft.ML.Moe.Sweeps.Running;

namespace Microsoft.ML.Moe.Cluster;

/// <summary>A cross-validation of the defaults of a sweep.</summary>
internal sealed class FoldsSource<TOptions>(SweepEstimator<TOptions> sweep, int folds, string? samplingKeyColumn) : IQueueSource
    where TOptions : class, new()
{
    public SweepOptions Options => ((IQueueSource)sweep).Options;

    public IQueueWork Prepare(IDataView table) => sweep.PrepareFolds(table, folds, samplingKeyColumn, TableDigest.Of(table));
}

/// <summary>A table that is scored in parts.</summary>
internal sealed class ScoringSource(MLContext ml, string modelFile, string journalFile, int shards) : IQueueSource
{
    public SweepOptions Options { get; } = new() { JournalFile = journalFile };

    public IQueueWork Prepare(IDataView table) => new ScoringWork(ml, table, modelFile, Options, shards);
}

/// <summary>Each part scores rows that follow one another, and writes them with their scores into a file of the shared folder.</summary>
internal sealed class ScoringWork : PartsWork
{
    private readonly MLContext _ml;
    private readonly IDataView _table;
    private readonly ITransformer _model;
    private readonly int _shards;
    private readonly long _rows;

    public ScoringWork(MLContext ml, IDataView table, string modelFile, SweepOptions options, int shards)
        : base(ml, table, options, "Shard", shards, $"{TableDigest.Of(table)} {TableDigest.OfFile(modelFile)}")
    {
        (_ml, _table, _shards, _rows) = (ml, table, shards, TableDigest.Count(table));
        _model = ml.Model.Load(modelFile, out _);
    }

    /// <summary>Name of a part's file.</summary>
    public static string FileOf(string journalFile, int part) =>
        Path.Combine(SweepJournal.FolderOf(journalFile), string.Create(CultureInfo.InvariantCulture, $"part-{part:0000}.idv"));

    public override void Dispose()
    {
        (_model as IDisposable)?.Dispose();
        base.Dispose();
    }

    protected override (double? Loss, Dictionary<string, double> Metrics) Do(int part, int? threads, ITrialReports reports)
    {
        var (first, end) = (_rows * part / _shards, _rows * (part + 1) / _shards);
        // where there are more shards than rows some have none; ML.NET skips and takes one at least
        var rest = first > 0 ? _ml.Data.SkipRows(_table, first) : _table;
        var rows = end > first ? _ml.Data.TakeRows(rest, end - first) : _ml.Data.SkipRows(_table, Math.Max(1, _rows));
        var file = FileOf(Options.JournalFile!, part);
        var draft = $"{file}.{Guid.NewGuid():N}";
        try
        {
            using (var stream = File.Create(draft))
                _ml.Data.SaveAsBinary(_model.Transform(rows), stream);
            File.Move(draft, file, overwrite: true);
        }
        finally
        {
            File.Delete(draft);
        }

        return (null, new() { ["Rows"] = end - first });
    }
}
