namespace Microsoft.ML.Moe.Scoring;

/// <summary>
/// A model bound to a table's columns: all of them stay where they are, those that the model makes are added at the end.
/// </summary>
internal sealed class BoundModel
{
    private readonly DataViewSchema.Column[] _scored;
    private readonly OutputColumns _added;
    private readonly ResultsFactory _createResults;

    /// <summary>Binds a model.</summary>
    /// <param name="input">The schema before scoring.</param>
    /// <param name="scored">The columns that the model reads.</param>
    /// <param name="added">The columns that it makes.</param>
    /// <param name="createResults">Takes a hold on the model and makes room for its results.</param>
    public BoundModel(DataViewSchema input, DataViewSchema.Column[] scored, OutputColumns added, ResultsFactory createResults)
    {
        Input = input;
        _scored = scored;
        _added = added;
        _createResults = createResults;
        var builder = new DataViewSchema.Builder();
        builder.AddColumns(input.Select(c => new DataViewSchema.DetachedColumn(c)));
        added.AddTo(builder, input);
        Output = builder.ToSchema();
    }

    /// <summary>Takes a hold on a model and makes room for its results.</summary>
    /// <param name="row">The row to score, or a cursor over rows.</param>
    /// <param name="columns">The columns that the model reads.</param>
    /// <param name="rows">Most rows that are scored at once.</param>
    /// <param name="withEntropies">Whether the routers' entropy is measured.</param>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public delegate RowResults ResultsFactory(DataViewRow row, DataViewSchema.Column[] columns, int rows, bool withEntropies);

    /// <summary>The schema before scoring.</summary>
    public DataViewSchema Input { get; }

    /// <summary>The schema after scoring.</summary>
    public DataViewSchema Output { get; }

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
    public bool NeedsScoring(bool[] active) => Added(active).Contains(true);

    /// <summary>The columns of <see cref="Input"/> that the wanted columns are made from.</summary>
    public IEnumerable<DataViewSchema.Column> Dependencies(bool[] active) =>
        Input.Where(c => active[c.Index] || (NeedsScoring(active) && _scored.Any(t => t.Index == c.Index)));

    /// <summary>Takes a hold on the model and makes room for its results.</summary>
    /// <param name="row">The row to score, or a cursor over rows.</param>
    /// <param name="active">Wanted columns of <see cref="Output"/>.</param>
    /// <param name="rows">Most rows that are scored at once.</param>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public RowResults CreateResults(DataViewRow row, bool[] active, int rows) =>
        _createResults(row, _scored, rows, _added.NeedsEntropy(Added(active)));

    /// <summary>Creates the getter of an added column.</summary>
    /// <param name="column">Index of the column after scoring.</param>
    /// <param name="results">What the model has given.</param>
    /// <param name="current">Makes sure that the current row is scored, and tells its place among those that were scored at once.</param>
    public Delegate CreateGetter(int column, RowResults results, Func<int> current) =>
        _added.CreateGetter(column - Input.Count, results, current);

    private ReadOnlySpan<bool> Added(bool[] active) => active.AsSpan(Input.Count);
}
