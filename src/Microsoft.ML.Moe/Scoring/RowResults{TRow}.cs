namespace Microsoft.ML.Moe.Scoring;

/// <summary>Results of rows of one kind.</summary>
/// <typeparam name="TRow">A row as the model reads it.</typeparam>
/// <param name="read">Reads the table's current row.</param>
/// <param name="rows">Most rows that are scored at once.</param>
internal abstract class RowResults<TRow>(RowReader<TRow> read, int rows) : RowResults
{
    private readonly TRow[] _rows = new TRow[rows];

    public override long Read(int row)
    {
        _rows[row] = read(out var size);
        return size;
    }

    public override void Score(int rows) => Score(new ArraySegment<TRow>(_rows, 0, rows));

    /// <summary>Scores rows.</summary>
    protected abstract void Score(IReadOnlyList<TRow> rows);
}
