using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Offline;

internal static partial class DataViews
{
    internal static IDataView FromEnumerable<TRow>(IEnumerable<TRow> rows, SchemaDefinition definition)
        where TRow : class => new EnumerableDataView<TRow>(rows, new RowReader<TRow>(definition));
}

file sealed class EnumerableDataView<TRow>(IEnumerable<TRow> rows, RowReader<TRow> reader) : IDataView
    where TRow : class
{
    public bool CanShuffle => false;

    public DataViewSchema Schema => reader.Schema;

    public long? GetRowCount() => (rows as ICollection<TRow>)?.Count;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null) =>
        Cursors.Over(new EnumerableRows<TRow>(reader, rows.GetEnumerator()), Schema, Schema.Flags(columnsNeeded));

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];
}

file sealed class EnumerableRows<TRow>(RowReader<TRow> reader, IEnumerator<TRow> rows) : RowSource
    where TRow : class
{
    internal override bool MoveNext()
    {
        if (!rows.MoveNext())
            return false;
        Contracts.Check(rows.Current != null, "Encountered null when iterating over data, this is not supported.");
        return true;
    }

    internal override Delegate CreateGetter(int column, Action checkGood) => reader.CreateGetter(column, () =>
    {
        checkGood();
        return rows.Current;
    });

    internal override void Dispose() => rows.Dispose();
}
