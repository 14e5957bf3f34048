using Microsoft.ML.Data;
using Microsoft.ML.Moe.Scoring;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>All values of a column, to be handed out in another order.</summary>
internal sealed class PermutedColumn
{
    private readonly IDataView _source;
    private readonly DataViewSchema.Column _column;
    private readonly ColumnBuffer _values;
    private readonly int _rows;

    /// <summary>Reads a column.</summary>
    /// <param name="source">A table that gives its rows in one order.</param>
    /// <param name="column">The column.</param>
    /// <param name="rows">Number of rows.</param>
    public PermutedColumn(IDataView source, DataViewSchema.Column column, int rows)
    {
        (_source, _column, _rows) = (source, column, rows);
        using var cursor = source.GetRowCursor([column]);
        _values = ColumnBuffer.Create(cursor, column, Math.Max(1, rows));
        for (var row = 0; row < rows && cursor.MoveNext(); row++)
            _values.Read(row);
    }

    /// <summary>The table with the column's values exchanged between rows.</summary>
    /// <param name="random">Chooses the order.</param>
    public IDataView Shuffle(Random random)
    {
        var order = Enumerable.Range(0, _rows).ToArray();
        random.Shuffle(order);
        return new View(this, order);
    }

    private sealed class View(PermutedColumn column, int[] order) : IDataView
    {
        public DataViewSchema Schema => column._source.Schema;

        public bool CanShuffle => false;

        public long? GetRowCount() => order.Length;

        public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null) =>
            new Cursor(column._source.GetRowCursor(columnsNeeded), column, order);

        // one cursor: the place of a row in the table tells whose value it gets
        public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) =>
            [GetRowCursor(columnsNeeded)];
    }

    private sealed class Cursor(DataViewRowCursor input, PermutedColumn column, int[] order) : DataViewRowCursor
    {
        public override DataViewSchema Schema => input.Schema;

        public override long Position => input.Position;

        public override long Batch => input.Batch;

        public override bool MoveNext() => input.MoveNext();

        public override ValueGetter<DataViewRowId> GetIdGetter() => input.GetIdGetter();

        public override bool IsColumnActive(DataViewSchema.Column wanted) => input.IsColumnActive(wanted);

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column wanted) => wanted.Index == column._column.Index
            ? Getters.Cast<TValue>(column._values.CreateGetter(() => order[input.Position]), wanted)
            : input.GetGetter<TValue>(wanted);

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                input.Dispose();
            base.Dispose(disposing);
        }
    }
}
