namespace Microsoft.ML.Moe.Scoring;

/// <summary>
/// A model bound to a table's columns: all of them stay where they are, those that the model makes are added at the end.
/// </summary>
/// <param name="input">The schema before scoring.</param>
/// <param name="scored">The columns that the model reads.</param>
internal abstract class BoundModel(DataViewSchema input, DataViewSchema.Column[] scored)
{
    /// <summary>The schema before scoring.</summary>
    public DataViewSchema Input { get; } = input;

    /// <summary>The schema after scoring.</summary>
    public abstract DataViewSchema Output { get; }

    /// <summary>The columns that the model reads.</summary>
    public DataViewSchema.Column[] Scored { get; } = scored;

    /// <summary>Marks the columns of <see cref="Output"/> that a consumer wants.</summary>
    public bool[] Flags(IEnumerable<DataViewSchema.Column> columns)
    {
        ArgumentNullException.ThrowIfNull(columns);
        var active = new bool[Output.Count];
        foreach (var column in columns)
            active[column.Index] = true;
        return active;
    }

    /// <summary>Whether rows have to be scored for the wanted columns.</summary>
    public bool NeedsScoring(bool[] active) => active.AsSpan(Input.Count).Contains(true);

    /// <summary>The columns of <see cref="Input"/> that the wanted columns are made from.</summary>
    public IEnumerable<DataViewSchema.Column> Dependencies(bool[] active) =>
        Input.Where(c => active[c.Index] || (NeedsScoring(active) && Scored.Any(t => t.Index == c.Index)));

    /// <summary>Takes a hold on the model and makes room for its results.</summary>
    /// <param name="row">The row to score, or a cursor over rows.</param>
    /// <param name="active">Wanted columns of <see cref="Output"/>.</param>
    /// <param name="rows">Most rows that are scored at once.</param>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public abstract RowResults CreateResults(DataViewRow row, bool[] active, int rows);
}
