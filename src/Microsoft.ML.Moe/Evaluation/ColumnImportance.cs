namespace Microsoft.ML.Moe.Evaluation;

/// <summary>How much worse a model gets when a column's values are exchanged between rows.</summary>
/// <param name="Column">Name of the column.</param>
/// <param name="Increase">
/// Mean increase over the permutations: of the log-loss, in nats, for classifiers; of the root of the mean squared error, in the label's units,
/// for regression. Near 0, or below, for a column that the model does not need.
/// </param>
/// <param name="Deviation">Standard deviation of the increase over the permutations; 0 with one.</param>
public sealed record ColumnImportance(string Column, double Increase, double Deviation);

/// <summary>Measures the importance of a model's input columns, one after the other.</summary>
internal sealed class ColumnImportanceRun(ITransformer model, IDataView data, Func<IDataView, double> lossOf)
{
    /// <summary>Measures the columns, the most important first.</summary>
    /// <param name="label">Name of the label column, which is left out.</param>
    /// <param name="score">Name of the score column: those that it is made of are measured.</param>
    /// <param name="permutations">How often each column is permuted, at least 1.</param>
    /// <param name="seed">Seeds the permutations.</param>
    public IReadOnlyList<ColumnImportance> Execute(string label, string score, int permutations, int seed)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(data);
        ArgumentOutOfRangeException.ThrowIfLessThan(permutations, 1);
        var rows = Count();
        if (rows == 0)
            throw new InvalidOperationException("The table has no rows to measure importance on.");
        var usual = lossOf(model.Transform(data));
        var random = new Random(seed);
        var measured = new List<ColumnImportance>();
        foreach (var column in InputsOf(score).Where(column => column.Name != label))
        {
            var values = new PermutedColumn(data, column, rows);
            double[] increases = [.. Enumerable.Range(0, permutations).Select(_ => lossOf(model.Transform(values.Shuffle(random))) - usual)];
            var mean = increases.Average();
            var variance = permutations == 1 ? 0 : increases.Sum(x => (x - mean) * (x - mean)) / (permutations - 1);
            measured.Add(new ColumnImportance(column.Name, mean, Math.Sqrt(variance)));
        }

        return [.. measured.OrderByDescending(column => column.Increase)];
    }

    private int Count()
    {
        using var cursor = data.GetRowCursor([]);
        var rows = 0;
        while (cursor.MoveNext())
            rows++;
        return rows;
    }

    private IEnumerable<DataViewSchema.Column> InputsOf(string score)
    {
        var visible = data.Schema.Where(column => !column.IsHidden);
        if (!model.IsRowToRowMapper)
            return visible;
        var mapper = model.GetRowToRowMapper(data.Schema);
        var output = mapper.OutputSchema.GetColumnOrNull(score) ?? throw new ArgumentOutOfRangeException(
            $"The model gives no column '{score}' to measure importance by.", innerException: null);
        var needed = mapper.GetDependencies([output]).Select(column => column.Index).ToHashSet();
        return visible.Where(column => needed.Contains(column.Index));
    }
}
