using Microsoft.ML.Moe.MlNet;

namespace Microsoft.ML.Moe.Scoring;

/// <summary>A table with the columns that a model adds, computed in batches as its rows are read.</summary>
/// <param name="source">The table.</param>
/// <param name="model">What adds columns.</param>
/// <param name="inOrder">Whether rows are read one after the other, whoever asks for several cursors.</param>
internal sealed class ScoringDataView(IDataView source, BoundModel model, bool inOrder) : IDataView
{
    public DataViewSchema Schema => model.Output;

    public bool CanShuffle => source.CanShuffle;

    public long? GetRowCount() => source.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
    {
        var active = model.Flags(columnsNeeded);
        return Wrap(Cursors.Open(source, model.Dependencies(active), rand, inOrder), active);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null)
    {
        if (inOrder)
            return [GetRowCursor(columnsNeeded, rand)];
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
