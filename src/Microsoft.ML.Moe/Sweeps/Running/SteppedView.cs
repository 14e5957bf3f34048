namespace Microsoft.ML.Moe.Sweeps.Running;

/// <summary>
/// Rows that go through the steps of a pipeline as these are fitted: a trainer is given this view when it is made, and reads it when it is fitted,
/// by then with the columns that the steps before have made.
/// </summary>
/// <param name="rows">The rows before the first step.</param>
internal sealed class SteppedView(IDataView rows) : IDataView
{
    private IDataView _rows = rows;

    public DataViewSchema Schema => _rows.Schema;

    public bool CanShuffle => _rows.CanShuffle;

    /// <summary>Takes the rows through a step.</summary>
    public void Take(ITransformer step) => _rows = step.Transform(_rows);

    public long? GetRowCount() => _rows.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null) =>
        _rows.GetRowCursor(columnsNeeded, rand);

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) =>
        _rows.GetRowCursorSet(columnsNeeded, n, rand);
}
