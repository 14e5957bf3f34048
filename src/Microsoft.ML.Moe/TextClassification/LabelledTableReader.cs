using Microsoft.ML.Moe.Fitting;
using Microsoft.ML.Moe.Text;
using Microsoft.ML.Moe.TextScoring;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Moe.TextClassification;

/// <summary>Reads labelled text in one pass over a table. Texts are encoded at once, so that the tokens alone are kept in memory.</summary>
/// <param name="host">Can cancel; null where there is none.</param>
/// <param name="input">Encodes the texts.</param>
/// <param name="stop">Stops reading.</param>
internal sealed class LabelledTableReader(IHostEnvironment? host, TextInput input, CancellationToken stop = default)
{
    private readonly ReadingStop _readingStop = new(host, stop);

    /// <summary>Reads a table.</summary>
    /// <param name="data">The table.</param>
    /// <param name="texts">Its text columns.</param>
    /// <param name="label">Its label column.</param>
    /// <param name="weight">Its column of example weights, if any.</param>
    /// <param name="createLabelReader">Reads the label of a cursor's row as a class number.</param>
    /// <exception cref="InvalidOperationException">A weight is negative or not a number.</exception>
    /// <exception cref="OperationCanceledException">Reading was stopped or cancelled.</exception>
    public LabelledTable Read(
        IDataView data,
        DataViewSchema.Column[] texts,
        DataViewSchema.Column label,
        DataViewSchema.Column? weight,
        Func<DataViewRow, Func<int>> createLabelReader)
    {
        var needed = texts.Append(label);
        using var cursor = data.GetRowCursor(weight is { } w ? needed.Append(w) : needed);
        var text = new RowText(cursor, texts);
        var readLabel = createLabelReader(cursor);
        var readWeight = weight is { } column ? WeightReader(cursor, column) : () => 1f;
        var table = new LabelledTable(input.MaximumTokens);
        for (var row = 0L; cursor.MoveNext(); row++)
        {
            _readingStop.Check(row);
            switch (readLabel())
            {
                case LabelReader.Missing:
                    table.MissingLabels++;
                    break;
                case LabelReader.Unknown:
                    table.UnknownLabels++;
                    break;
                case var known:
                    var (first, second) = text.Read();
                    if (string.IsNullOrWhiteSpace(first) && string.IsNullOrWhiteSpace(second))
                        table.BlankTexts++;
                    table.Add(new LabelledText(input.Encode(first, second), known, readWeight()));
                    break;
            }
        }

        return table;
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
