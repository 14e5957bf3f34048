using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Rows;

/// <summary>A table as it was read for training or validation.</summary>
/// <param name="Rows">Rows with a label.</param>
/// <param name="MissingLabels">Rows left out because their label is missing.</param>
/// <param name="UnknownLabels">Rows left out because their label is not among the classes.</param>
/// <param name="BadRows">Rows that cannot be used.</param>
internal sealed record LabelledTable<TRow>(IReadOnlyList<Example<TRow>> Rows, int MissingLabels, int UnknownLabels, BadRows BadRows)
{
    /// <summary>Rows that count: those of weight 0 are as if they were not there.</summary>
    public IReadOnlyList<Example<TRow>> Counting { get; } = Rows.All(row => row.Weight > 0f) ? Rows : [.. Rows.Where(row => row.Weight > 0f)];

    /// <summary>Checks that a row counts, where there are rows.</summary>
    /// <param name="table">What messages call the table.</param>
    /// <param name="column">Column of weights, if any.</param>
    /// <exception cref="InvalidOperationException">None does.</exception>
    public void CheckWeights(TableName table, string? column)
    {
        if (Rows.Count > 0 && Counting.Count == 0)
            throw new InvalidOperationException(
                $"All {Rows.Count} rows of the {table.Text} have weight 0 in column '{column}': none of them counts.");
    }

    /// <summary>Logs what was left out.</summary>
    /// <param name="channel">The log.</param>
    /// <param name="which">What the log calls the table.</param>
    /// <param name="label">Name of the label column.</param>
    public void Log(IChannel channel, string which, string label)
    {
        if (MissingLabels > 0)
            channel.Warning(
                MessageSensitivity.Schema, $"{MissingLabels} {which} rows are left out: their label in column '{label}' is missing.");
        if (UnknownLabels > 0)
            channel.Warning(
                MessageSensitivity.Schema,
                $"{UnknownLabels} {which} rows are left out: their label in column '{label}' is not in the training set.");
    }
}

/// <summary>Reads labelled rows in one pass over a table.</summary>
/// <param name="checkGoesOn">Asks, at every row, whether to go on; null where nothing can stop reading.</param>
/// <param name="source">Reads what is classified.</param>
/// <param name="engine">Its threads encode rows.</param>
internal sealed class LabelledTableReader<TRow>(
    Action? checkGoesOn, RowSource<TRow> source, Engine engine)
{
    /// <summary>Reads a table.</summary>
    /// <param name="data">The table.</param>
    /// <param name="columns">Its columns that the source reads.</param>
    /// <param name="label">Its label column.</param>
    /// <param name="weight">Its column of example weights, if any.</param>
    /// <param name="createLabelReader">Reads the label of a cursor's row as a class number.</param>
    /// <exception cref="InvalidOperationException">A weight is negative or not a number.</exception>
    /// <exception cref="OperationCanceledException">Reading was stopped or cancelled.</exception>
    public LabelledTable<TRow> Read(
        IDataView data,
        DataViewSchema.Column[] columns,
        DataViewSchema.Column label,
        DataViewSchema.Column? weight,
        Func<DataViewRow, Func<int>> createLabelReader) => ReadTargets(data, columns, label, weight, row =>
    {
        var read = createLabelReader(row);
        return () => LabelReader.TargetOf(read());
    });

    /// <summary>Reads a table whose label is a number.</summary>
    /// <param name="data">The table.</param>
    /// <param name="columns">Its columns that the source reads.</param>
    /// <param name="label">Its label column.</param>
    /// <param name="weight">Its column of example weights, if any.</param>
    /// <param name="createTargetReader">Reads the label of a cursor's row.</param>
    /// <exception cref="InvalidOperationException">A weight is negative or not a number.</exception>
    /// <exception cref="OperationCanceledException">Reading was stopped or cancelled.</exception>
    public LabelledTable<TRow> ReadTargets(
        IDataView data,
        DataViewSchema.Column[] columns,
        DataViewSchema.Column label,
        DataViewSchema.Column? weight,
        Func<DataViewRow, Func<float>> createTargetReader)
    {
        var needed = columns.Append(label);
        using var cursor = source.Open(data, weight is { } w ? needed.Append(w) : needed);
        var readInput = source.CreateReader(cursor, columns);
        var readTarget = createTargetReader(cursor);
        var readWeight = weight is { } column ? WeightReader(cursor, column) : () => 1f;
        var rows = new List<Example<TRow>>();
        var batch = new RowBatch<Example<TRow>>(engine);
        var bad = new BadRows();
        var (missing, unknown) = (0, 0);
        while (cursor.MoveNext())
        {
            checkGoesOn?.Invoke();
            switch (readTarget())
            {
                case float.NaN:
                    missing++;
                    break;
                case LabelReader.UnknownTarget:
                    unknown++;
                    break;
                case var known:
                    var (encode, weightOfRow) = (readInput.OrBad(out var size), readWeight());
                    batch.Add(() => new Example<TRow>(encode(), known, weightOfRow), size);
                    break;
            }

            if (batch.IsFull)
                TakeBatch();
        }

        TakeBatch();
        return new LabelledTable<TRow>(rows, missing, unknown, bad);

        void TakeBatch()
        {
            var encoded = batch.EncodeAll();
            for (var row = 0; row < encoded.Count; row++)
            {
                if (batch.BadRowAt(row) is { } why)
                    bad.Add(why);
                else
                    rows.Add(encoded[row]);
            }

            batch.Clear();
        }
    }

    private static Func<float> WeightReader(DataViewRowCursor cursor, DataViewSchema.Column column)
    {
        var getter = cursor.GetGetter<float>(column);
        var weight = 0f;
        return () =>
        {
            getter(ref weight);
            return weight >= 0 && float.IsFinite(weight)
                ? weight
                : throw new InvalidOperationException(
                    $"Row {cursor.Position + 1} has weight {weight} in column '{column.Name}'; weights must be numbers of at least 0.");
        };
    }
}
