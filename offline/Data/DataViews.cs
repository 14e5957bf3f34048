using Microsoft.ML.Data;

namespace Microsoft.ML.Offline;

internal static partial class DataViews
{
    /// <summary>Some columns of another data view.</summary>
    internal static IDataView Select(IDataView source, IEnumerable<DataViewSchema.Column> columns) =>
        new SelectedDataView(source, [.. columns.Select(c => c.Index)]);

    /// <summary>The rows that a test lets through; the test may need columns that the caller did not ask for.</summary>
    internal static IDataView Filter(
        IDataView source, Func<DataViewSchema.Column, bool> testNeeds, Func<DataViewRow, Func<bool>> createTest, bool canShuffle) =>
        new FilteredDataView(source, testNeeds, createTest, canShuffle);

    /// <summary>The rows from one on, and no more than so many.</summary>
    internal static IDataView SkipTake(IDataView source, long skip, long take) => new SkipTakeDataView(source, skip, take);
}

file sealed class SelectedDataView : IDataView
{
    private readonly IDataView _source;
    private readonly int[] _map;

    public SelectedDataView(IDataView source, int[] map)
    {
        _source = source;
        _map = map;
        var builder = new DataViewSchema.Builder();
        builder.AddColumns(map.Select(i => source.Schema[i]));
        Schema = builder.ToSchema();
    }

    public bool CanShuffle => _source.CanShuffle;

    public DataViewSchema Schema { get; }

    public long? GetRowCount() => _source.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
    {
        var active = Schema.Flags(columnsNeeded);
        return Cursors.Map(_source.GetRowCursor(Sources(active), rand), Schema, _map, active);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null)
    {
        var active = Schema.Flags(columnsNeeded);
        return [.. _source.GetRowCursorSet(Sources(active), n, rand).Select(c => Cursors.Map(c, Schema, _map, active))];
    }

    private DataViewSchema.Column[] Sources(bool[] active) => [.. _map.Where((_, i) => active[i]).Select(i => _source.Schema[i])];
}

file sealed class FilteredDataView(
    IDataView source, Func<DataViewSchema.Column, bool> testNeeds, Func<DataViewRow, Func<bool>> createTest, bool canShuffle) : IDataView
{
    public bool CanShuffle => canShuffle && source.CanShuffle;

    public DataViewSchema Schema => source.Schema;

    public long? GetRowCount() => null;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
    {
        var active = Schema.Flags(columnsNeeded);
        return Filter(source.GetRowCursor(Needs(active), CanShuffle ? rand : null), active);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null)
    {
        var active = Schema.Flags(columnsNeeded);
        return canShuffle
            ? [.. source.GetRowCursorSet(Needs(active), n, rand).Select(c => Filter(c, active))]
            : [Filter(source.GetRowCursor(Needs(active)), active)];
    }

    private DataViewSchema.Column[] Needs(bool[] active) => [.. Schema.Where(c => active[c.Index] || testNeeds(c))];

    private DataViewRowCursor Filter(DataViewRowCursor input, bool[] active)
    {
        var test = createTest(input);
        return Cursors.Filter(input, active, () =>
        {
            while (input.MoveNext())
                if (test())
                    return true;
            return false;
        });
    }
}

file sealed class SkipTakeDataView(IDataView source, long skip, long take) : IDataView
{
    public bool CanShuffle => false;

    public DataViewSchema Schema => source.Schema;

    public long? GetRowCount() => source.GetRowCount() is { } rows ? Math.Min(Math.Max(rows - skip, 0), take) : null;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
    {
        var active = Schema.Flags(columnsNeeded);
        var input = source.GetRowCursor(Schema.Where(c => active[c.Index]));
        var (toSkip, toTake) = (skip, take);
        return Cursors.Filter(input, active, () =>
        {
            for (; toSkip > 0 && input.MoveNext(); toSkip--)
            {
            }

            return toTake-- > 0 && input.MoveNext();
        });
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null) =>
        [GetRowCursor(columnsNeeded)];
}
