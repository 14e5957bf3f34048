using Microsoft.ML.Moe.Fitting;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.Classification;

/// <summary>Reads labelled rows in one pass over a table.</summary>
/// <param name="host">Can cancel; null where there is none.</param>
/// <param name="source">Reads what is classified.</param>
/// <param name="engine">Its threads encode rows.</param>
/// <param name="stop">Stops reading.</param>
internal sealed class LabelledTableReader<TRow>(
    IHostEnvironment? host, RowSource<TRow> source, Engine engine, CancellationToken stop = default)
{
    private readonly ReadingStop _readingStop = new(host, stop);

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
        Func<DataViewRow, Func<int>> createLabelReader)
    {
        var needed = columns.Append(label);
        using var cursor = data.GetRowCursor(weight is { } w ? needed.Append(w) : needed);
        var readInput = source.CreateReader(cursor, columns);
        var readLabel = createLabelReader(cursor);
        var readWeight = weight is { } column ? WeightReader(cursor, column) : () => 1f;
        var rows = new List<LabelledRow<TRow>>();
        var batch = new RowBatch<LabelledRow<TRow>>(engine);
        var (missing, unknown) = (0, 0);
        while (cursor.MoveNext())
        {
            _readingStop.Check();
            switch (readLabel())
            {
                case LabelReader.Missing:
                    missing++;
                    break;
                case LabelReader.Unknown:
                    unknown++;
                    break;
                case var known:
                    var (encode, weightOfRow) = (readInput(out var size), readWeight());
                    batch.Add(() => new LabelledRow<TRow>(encode(), known, weightOfRow), size);
                    break;
            }

            if (batch.IsFull)
                TakeBatch();
        }

        TakeBatch();
        return new LabelledTable<TRow>(rows, missing, unknown);

        void TakeBatch()
        {
            rows.AddRange(batch.Encode());
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
