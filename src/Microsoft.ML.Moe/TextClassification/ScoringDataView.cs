namespace Microsoft.ML.Moe.TextClassification;

/// <summary>A table with predicted labels and scores, computed in batches as its rows are read.</summary>
internal sealed class ScoringDataView(MoeTextClassificationTransformer transformer, IDataView source, ScoredSchema schema) : IDataView
{
    public DataViewSchema Schema => schema.Output;

    public bool CanShuffle => source.CanShuffle;

    public long? GetRowCount() => source.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
    {
        var active = schema.Flags(columnsNeeded);
        return Wrap(source.GetRowCursor(schema.Dependencies(active), rand), active);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null)
    {
        var active = schema.Flags(columnsNeeded);
        return [.. source.GetRowCursorSet(schema.Dependencies(active), n, rand).Select(input => Wrap(input, active))];
    }

    private DataViewRowCursor Wrap(DataViewRowCursor input, bool[] active)
    {
        if (!schema.NeedsScoring(active))
            return new UnscoredCursor(input, schema, active);
        try
        {
            return new ScoringCursor(input, schema, active, transformer.Lease());
        }
        catch
        {
            input.Dispose();
            throw;
        }
    }
}
