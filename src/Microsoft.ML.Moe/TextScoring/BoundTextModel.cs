namespace Microsoft.ML.Moe.TextScoring;

/// <summary>
/// A text model bound to a table's columns: all of them stay where they are, those that the model makes are added at the end.
/// </summary>
/// <param name="input">The schema before scoring.</param>
/// <param name="texts">The text columns, one or two.</param>
internal abstract class BoundTextModel(DataViewSchema input, DataViewSchema.Column[] texts)
{
    /// <summary>The schema before scoring.</summary>
    public DataViewSchema Input { get; } = input;

    /// <summary>The schema after scoring.</summary>
    public abstract DataViewSchema Output { get; }

    /// <summary>The text columns, one or two.</summary>
    public DataViewSchema.Column[] Texts { get; } = texts;

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
        Input.Where(c => active[c.Index] || (NeedsScoring(active) && Texts.Any(t => t.Index == c.Index)));

    /// <summary>Takes a hold on the model and makes room for its results.</summary>
    /// <param name="active">Wanted columns of <see cref="Output"/>.</param>
    /// <param name="rows">Most rows that are scored at once.</param>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public abstract RowResults CreateResults(bool[] active, int rows);
}
