using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Rows;

/// <summary>The lines of text files as a table.</summary>
internal sealed class TextLinesView : IDataView
{
    private readonly string[] _paths;

    /// <summary>A table of lines.</summary>
    /// <param name="columnName">Name of its column.</param>
    /// <param name="paths">The files, one after the other.</param>
    public TextLinesView(string columnName, string[] paths)
    {
        _paths = paths;
        var builder = new DataViewSchema.Builder();
        builder.AddColumn(columnName, TextDataViewType.Instance);
        Schema = builder.ToSchema();
    }

    public DataViewSchema Schema { get; }

    public bool CanShuffle => false;

    public long? GetRowCount() => null;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
    {
        ArgumentNullException.ThrowIfNull(columnsNeeded);
        return new TextLinesCursor(Schema, TextLines.Of(_paths), columnsNeeded.Any(c => c.Index == 0));
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];
}
