using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Offline;

internal static class InputRows
{
    /// <summary>A row whose object is set from outside; each one set has the next position.</summary>
    internal static DataViewRow Create<TRow>(RowReader<TRow> reader, out Action<TRow> set)
        where TRow : class
    {
        var row = new InputRow<TRow>(reader);
        set = row.Set;
        return row;
    }
}

file sealed class InputRow<TRow>(RowReader<TRow> reader) : DataViewRow
    where TRow : class
{
    private TRow _row;
    private long _position = -1;

    public override long Position => _position;

    public override long Batch => 0;

    public override DataViewSchema Schema => reader.Schema;

    public void Set(TRow row)
    {
        _row = row;
        _position++;
    }

    public override bool IsColumnActive(DataViewSchema.Column column) => true;

    public override ValueGetter<DataViewRowId> GetIdGetter() =>
        (ref DataViewRowId value) => value = new DataViewRowId((ulong)_position, 0);

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) =>
        Cursors.Cast<TValue>(reader.CreateGetter(column.Index, Current));

    private TRow Current()
    {
        Contracts.Check(_row != null, "Can't call getter on a row before it is set.");
        return _row;
    }
}
