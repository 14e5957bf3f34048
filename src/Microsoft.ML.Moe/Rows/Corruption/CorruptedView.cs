using Microsoft.ML.Data;
using Microsoft.ML.Moe.Scoring;

namespace Microsoft.ML.Moe.Rows;

/// <summary>A table of which one column is corrupted as its rows are read, the same row always in the same way.</summary>
internal sealed class CorruptedView : IDataView
{
    private readonly IDataView _source;
    private readonly DataViewSchema.Column _column;
    private readonly ColumnCorruption _corruption;

    /// <summary>Creates it.</summary>
    /// <param name="source">The table as it is.</param>
    /// <param name="column">The column; its type and annotations stay.</param>
    /// <param name="corruption">What is done to it.</param>
    /// <param name="changedColumnName">Name of the column that is added and tells which rows were changed; null for none.</param>
    /// <exception cref="ArgumentException">The table has a column of that name already.</exception>
    public CorruptedView(IDataView source, DataViewSchema.Column column, ColumnCorruption corruption, string? changedColumnName)
    {
        (_source, _column, _corruption) = (source, column, corruption);
        var builder = new DataViewSchema.Builder();
        foreach (var each in source.Schema)
            builder.AddColumn(each.Name, each.Type, each.Annotations);
        if (changedColumnName is not null)
        {
            ArgumentException.ThrowIfNullOrEmpty(changedColumnName);
            if (source.Schema.GetColumnOrNull(changedColumnName) is not null)
            {
                throw new ArgumentException(
                    $"The table has a column '{changedColumnName}' already; the column that tells which rows were changed needs a name "
                    + "of its own.",
                    nameof(changedColumnName));
            }

            builder.AddColumn(changedColumnName, BooleanDataViewType.Instance);
        }

        Schema = builder.ToSchema();
    }

    public DataViewSchema Schema { get; }

    public bool CanShuffle => _source.CanShuffle;

    public long? GetRowCount() => _source.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
    {
        var active = Flags(columnsNeeded);
        return new Cursor(this, _source.GetRowCursor(Needed(active), rand), active);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null)
    {
        var active = Flags(columnsNeeded);
        return [.. _source.GetRowCursorSet(Needed(active), n, rand).Select(input => new Cursor(this, input, active))];
    }

    private bool[] Flags(IEnumerable<DataViewSchema.Column> columnsNeeded)
    {
        ArgumentNullException.ThrowIfNull(columnsNeeded);
        var active = new bool[Schema.Count];
        foreach (var column in columnsNeeded)
            active[column.Index] = true;
        return active;
    }

    private IEnumerable<DataViewSchema.Column> Needed(bool[] active) =>
        _source.Schema.Where(c => active[c.Index] || (c.Index == _column.Index && active.Length > _source.Schema.Count && active[^1]));

    private sealed class Cursor(CorruptedView view, DataViewRowCursor input, bool[] active) : DataViewRowCursor
    {
        private CorruptedColumn? _corrupted;

        public override DataViewSchema Schema => view.Schema;

        public override long Position => input.Position;

        public override long Batch => input.Batch;

        public override bool MoveNext() => input.MoveNext();

        public override bool IsColumnActive(DataViewSchema.Column column) => active[column.Index];

        public override ValueGetter<DataViewRowId> GetIdGetter() => input.GetIdGetter();

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            if (!IsColumnActive(column))
                throw Getters.NotActive(column);
            if (column.Index != view._column.Index && column.Index < input.Schema.Count)
                return input.GetGetter<TValue>(input.Schema[column.Index]);
            _corrupted ??= view._corruption.CreateReader(input, view._column);
            return Getters.Cast<TValue>(column.Index == view._column.Index ? _corrupted.Value : _corrupted.IsChanged, column);
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                input.Dispose();
            base.Dispose(disposing);
        }
    }
}
