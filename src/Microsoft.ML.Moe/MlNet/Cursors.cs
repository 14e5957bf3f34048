namespace Microsoft.ML.Moe.MlNet;

/// <summary>How tables are read.</summary>
internal static class Cursors
{
    /// <summary>A cursor over a table.</summary>
    /// <param name="data">The table.</param>
    /// <param name="columns">Columns that are read.</param>
    /// <param name="random">Orders the rows; null leaves them as they are.</param>
    /// <param name="inOrder">Whether no thread of ML.NET's makes rows ahead: a set of one cursor is read as it is.</param>
    public static DataViewRowCursor Open(IDataView data, IEnumerable<DataViewSchema.Column> columns, Random? random, bool inOrder)
    {
        if (!inOrder)
            return data.GetRowCursor(columns, random);
        var cursors = data.GetRowCursorSet(columns, 1, random);
        if (cursors is [var only])
            return only;
        foreach (var cursor in cursors)
            cursor.Dispose();
        return data.GetRowCursor(columns, random);
    }
}
