using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Offline;

/// <summary>Rows made one after another, and how to read each column of the one they are at.</summary>
internal abstract class RowSource
{
    private protected RowSource()
    {
    }

    internal virtual long Batch => 0;

    internal abstract bool MoveNext();

    internal abstract Delegate CreateGetter(int column, Action checkGood);

    /// <summary>The row's number in the source, whatever the order of reading.</summary>
    internal virtual long Number(long position) => position;

    internal virtual void Dispose()
    {
    }
}

internal static class Cursors
{
    /// <summary>A cursor that makes its own rows; once past the end it has no position.</summary>
    internal static DataViewRowCursor Over(RowSource rows, DataViewSchema schema, bool[] active) => new RootCursor(rows, schema, active);

    /// <summary>A row with other columns: <c>map</c> says from where each comes, an input column or (~) one of the getters.</summary>
    internal static DataViewRow Map(
        DataViewRow input, DataViewSchema schema, int[] map, Delegate[] getters = null, Action disposer = null) =>
        new MappedRow(input, schema, map, getters, disposer);

    /// <summary>As <see cref="Map(DataViewRow, DataViewSchema, int[], Delegate[], Action)"/>, for each row of a cursor.</summary>
    internal static DataViewRowCursor Map(
        DataViewRowCursor input, DataViewSchema schema, int[] map, bool[] active, Delegate[] getters = null, Action disposer = null) =>
        new MappedCursor(input, schema, map, active, getters, disposer);

    /// <summary>The rows of a cursor that <c>moveNext</c> stops at.</summary>
    internal static DataViewRowCursor Filter(DataViewRowCursor input, bool[] active, Func<bool> moveNext) =>
        new FilteredCursor(input, active, moveNext);

    /// <summary>Which columns were asked for.</summary>
    internal static bool[] Flags(this DataViewSchema schema, IEnumerable<DataViewSchema.Column> columns)
    {
        Contracts.CheckValue(columns, nameof(columns));
        var flags = new bool[schema.Count];
        foreach (var column in columns)
        {
            Contracts.CheckParam(
                column.Index < flags.Length && schema[column.Index].Name == column.Name, nameof(columns),
                $"Column '{column.Name}' is of another schema.");
            flags[column.Index] = true;
        }

        return flags;
    }

    internal static ValueGetter<TValue> Cast<TValue>(Delegate getter) => getter as ValueGetter<TValue> ?? throw Contracts.Except(
        $"Invalid TValue in GetGetter: '{typeof(TValue)}', expected type: '{getter.GetType().GetGenericArguments()[0]}'.");

    internal static void CheckActive(this DataViewRow row, DataViewSchema.Column column) =>
        Contracts.Check(row.IsColumnActive(column), $"Column '{column.Name}' is not active.");
}

file sealed class RootCursor(RowSource rows, DataViewSchema schema, bool[] active) : DataViewRowCursor
{
    private long _position = -1;
    private bool _done;

    public override DataViewSchema Schema => schema;

    public override long Position => _position;

    public override long Batch => rows.Batch;

    public override bool IsColumnActive(DataViewSchema.Column column) => active[column.Index];

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        this.CheckActive(column);
        return Cursors.Cast<TValue>(rows.CreateGetter(column.Index, CheckGood));
    }

    public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId value) =>
    {
        CheckGood();
        value = new DataViewRowId((ulong)rows.Number(_position), 0);
    };

    public override bool MoveNext()
    {
        if (_done)
            return false;
        if (rows.MoveNext())
        {
            _position++;
            return true;
        }

        Dispose();
        return false;
    }

    protected override void Dispose(bool disposing)
    {
        _done = true;
        _position = -1;
        rows.Dispose();
        base.Dispose(disposing);
    }

    private void CheckGood() =>
        Contracts.Check(_position >= 0, "Values cannot be fetched before the first row or after the last one.");
}

file sealed class MappedRow(DataViewRow input, DataViewSchema schema, int[] map, Delegate[] getters, Action disposer) : DataViewRow
{
    public override DataViewSchema Schema => schema;

    public override long Position => input.Position;

    public override long Batch => input.Batch;

    public override ValueGetter<DataViewRowId> GetIdGetter() => input.GetIdGetter();

    public override bool IsColumnActive(DataViewSchema.Column column) =>
        map[column.Index] is var source && source >= 0 ? input.IsColumnActive(input.Schema[source]) : getters[~source] != null;

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        this.CheckActive(column);
        var source = map[column.Index];
        return source >= 0 ? input.GetGetter<TValue>(input.Schema[source]) : Cursors.Cast<TValue>(getters[~source]);
    }

    protected override void Dispose(bool disposing)
    {
        disposer?.Invoke();
        input.Dispose();
        base.Dispose(disposing);
    }
}

file sealed class MappedCursor(
    DataViewRowCursor input, DataViewSchema schema, int[] map, bool[] active, Delegate[] getters, Action disposer) : DataViewRowCursor
{
    private readonly MappedRow _row = new(input, schema, map, getters, disposer);

    public override DataViewSchema Schema => schema;

    public override long Position => input.Position;

    public override long Batch => input.Batch;

    public override bool MoveNext() => input.MoveNext();

    public override ValueGetter<DataViewRowId> GetIdGetter() => input.GetIdGetter();

    public override bool IsColumnActive(DataViewSchema.Column column) => active[column.Index];

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        this.CheckActive(column);
        return _row.GetGetter<TValue>(column);
    }

    protected override void Dispose(bool disposing)
    {
        _row.Dispose();
        base.Dispose(disposing);
    }
}

file sealed class FilteredCursor(DataViewRowCursor input, bool[] active, Func<bool> moveNext) : DataViewRowCursor
{
    private long _position = -1;
    private bool _done;

    public override DataViewSchema Schema => input.Schema;

    public override long Position => _position;

    public override long Batch => input.Batch;

    public override bool MoveNext()
    {
        _done = _done || !moveNext();
        _position = _done ? -1 : _position + 1;
        return !_done;
    }

    public override ValueGetter<DataViewRowId> GetIdGetter() => input.GetIdGetter();

    public override bool IsColumnActive(DataViewSchema.Column column) => active[column.Index];

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        this.CheckActive(column);
        return input.GetGetter<TValue>(column);
    }

    protected override void Dispose(bool disposing)
    {
        _done = true;
        _position = -1;
        input.Dispose();
        base.Dispose(disposing);
    }
}
