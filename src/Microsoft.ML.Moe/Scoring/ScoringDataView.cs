namespace Microsoft.ML.Moe.Scoring;

/// <summary>A table with the columns that a model adds, computed in batches as its rows are read.</summary>
internal sealed class ScoringDataView(IDataView source, BoundModel model) : IDataView
{
    public DataViewSchema Schema => model.Output;

    public bool CanShuffle => source.CanShuffle;

    public long? GetRowCount() => source.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
    {
        var active = model.Flags(columnsNeeded);
        return Wrap(source.GetRowCursor(model.Dependencies(active), rand), active);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null)
    {
        var active = model.Flags(columnsNeeded);
        return [.. source.GetRowCursorSet(model.Dependencies(active), n, rand).Select(input => Wrap(input, active))];
    }

    private DataViewRowCursor Wrap(DataViewRowCursor input, bool[] active)
    {
        try
        {
            return model.NeedsScoring(active) ? new ScoringCursor(input, model, active) : new UnscoredCursor(input, model, active);
        }
        catch
        {
            input.Dispose();
            throw;
        }
    }
}
