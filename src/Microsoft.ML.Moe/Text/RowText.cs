namespace Microsoft.ML.Moe.Text;

/// <summary>Reads the text, or the pair of texts, of a row. Missing text reads as empty.</summary>
internal sealed class RowText
{
    private readonly ValueGetter<ReadOnlyMemory<char>> _first;
    private readonly ValueGetter<ReadOnlyMemory<char>>? _second;

    /// <summary>Prepares reading.</summary>
    /// <param name="row">The row, or a cursor over rows.</param>
    /// <param name="columns">One text column, or two.</param>
    public RowText(DataViewRow row, DataViewSchema.Column[] columns)
    {
        _first = row.GetGetter<ReadOnlyMemory<char>>(columns[0]);
        _second = columns.Length > 1 ? row.GetGetter<ReadOnlyMemory<char>>(columns[1]) : null;
    }

    /// <summary>The current row's text.</summary>
    public (string First, string? Second) Read()
    {
        ReadOnlyMemory<char> first = default, second = default;
        _first(ref first);
        if (_second is null)
            return (first.ToString(), null);
        _second(ref second);
        return (first.ToString(), second.ToString());
    }
}
