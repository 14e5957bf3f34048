using Microsoft.ML.Offline;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Data;

internal sealed class EmptyDataView : IDataView
{
    public EmptyDataView(IHostEnvironment env, DataViewSchema schema)
    {
        Contracts.CheckValue(env, nameof(env));
        env.CheckValue(schema, nameof(schema));
        Schema = schema;
    }

    public bool CanShuffle => true;

    public DataViewSchema Schema { get; }

    public long? GetRowCount() => 0;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null) =>
        Cursors.Over(new NoRows(Schema), Schema, Schema.Flags(columnsNeeded));

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];
}

file sealed class NoRows(DataViewSchema schema) : RowSource
{
    internal override bool MoveNext() => false;

    internal override Delegate CreateGetter(int column, Action checkGood) =>
        Types.Call<Delegate>(Never<int>, schema[column].Type.RawType, checkGood);

    private static ValueGetter<T> Never<T>(Action checkGood) => (ref T value) => checkGood();
}
