namespace Microsoft.ML.Moe.Rows;

/// <summary>Reads a column by itself.</summary>
internal static class ColumnValues
{
    /// <summary>The column's values, row after row; a value may change when the next is read.</summary>
    /// <param name="data">The table.</param>
    /// <param name="column">Its column.</param>
    public static IEnumerable<T> Read<T>(IDataView data, DataViewSchema.Column column)
    {
        using var cursor = data.GetRowCursor([column]);
        var read = cursor.GetGetter<T>(column);
        var value = default(T)!;
        while (cursor.MoveNext())
        {
            read(ref value);
            yield return value;
        }
    }
}
