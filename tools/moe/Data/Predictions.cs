using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace MoeTool.Data;

/// <summary>A prediction.</summary>
/// <param name="Label">The most probable label.</param>
/// <param name="Probability">Its probability.</param>
/// <param name="Texts">What was read, a field for each column.</param>
/// <param name="Truth">The label of the row as the model reads it: the same, another one, or empty where it does not know it.</param>
internal sealed record Predicted(string Label, float Probability, IReadOnlyList<string> Texts, string Truth);

/// <summary>Reads predictions out of tables.</summary>
internal static class Predictions
{
    /// <summary>Begins the header of lines of predictions; the names of what was read follow.</summary>
    public const string Header = "PredictedLabel\tProbability\t";

    /// <summary>The predictions for the rows of a table, in their order.</summary>
    /// <param name="predictions">A table that a classifier has scored.</param>
    /// <param name="inputs">The columns that it has read.</param>
    /// <param name="label">The column of labels, keys.</param>
    public static IEnumerable<Predicted> Read(IDataView predictions, IReadOnlyList<string> inputs, string label)
    {
        var schema = predictions.Schema;
        var (predicted, score, truth) = (schema["PredictedLabel"], schema["Score"], schema[label]);
        var texts = inputs.Select(name => schema[name]).ToList();
        using var cursor = predictions.GetRowCursor([predicted, score, truth, .. texts]);
        var (labelOf, truthOf, probabilityOf) = (TextOf(cursor, predicted), TextOf(cursor, truth), ProbabilityOf(cursor, score));
        var textsOf = texts.ConvertAll(column => TextOf(cursor, column));
        while (cursor.MoveNext())
            yield return new Predicted(labelOf(), probabilityOf(), [.. textsOf.Select(text => text())], truthOf());
    }

    /// <summary>Reads the probability of what is predicted: of classes the largest, of yes or no that of the likelier.</summary>
    /// <param name="row">The row.</param>
    /// <param name="column">The probabilities of classes, or that of yes.</param>
    public static Func<float> ProbabilityOf(DataViewRow row, DataViewSchema.Column column)
    {
        if (column.Type is VectorDataViewType)
        {
            VBuffer<float> scores = default;
            var scoresOf = row.GetGetter<VBuffer<float>>(column);
            return () =>
            {
                scoresOf(ref scores);
                return scores.DenseValues().Max();
            };
        }

        var probability = 0f;
        var probabilityOf = row.GetGetter<float>(column);
        return () =>
        {
            probabilityOf(ref probability);
            return Math.Max(probability, 1 - probability);
        };
    }

    /// <summary>What was predicted of a row, tab-separated: the label, its probability, and what was read.</summary>
    public static string Line(string label, float probability, IEnumerable<string> inputs) => string.Join(
        '\t', [Field(label), probability.ToString("0.0000", CultureInfo.InvariantCulture), .. inputs.Select(Field)]);

    /// <summary>How many rows have which text in a column.</summary>
    public static Dictionary<string, long> CountBy(IDataView rows, string column)
    {
        var counts = new Dictionary<string, long>();
        using var cursor = rows.GetRowCursor([rows.Schema[column]]);
        var textOf = TextOf(cursor, rows.Schema[column]);
        while (cursor.MoveNext())
        {
            var text = textOf();
            counts[text] = counts.GetValueOrDefault(text) + 1;
        }

        return counts;
    }

    /// <summary>A field of a tab-separated line, in quotes where it has to be.</summary>
    public static string Field(string text) =>
        text.StartsWith('"') || text.AsSpan().ContainsAny('\t', '\n', '\r')
            ? $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\""
            : text;

    /// <summary>Reads a column as text: labels behind keys, texts, numbers, true or false.</summary>
    /// <exception cref="UserException">It is of another type.</exception>
    public static Func<string> TextOf(DataViewRow row, DataViewSchema.Column column)
    {
        if (column.Type is KeyDataViewType)
        {
            VBuffer<ReadOnlyMemory<char>> names = default;
            column.GetKeyValues(ref names);
            string[] values = [.. names.DenseValues().Select(name => name.ToString())];
            var keyOf = row.GetGetter<uint>(column);
            return () =>
            {
                uint key = 0;
                keyOf(ref key);
                return key == 0 ? "" : values[key - 1];
            };
        }

        if (column.Type == NumberDataViewType.Single)
            return Shown<float>(row, column, number => float.IsNaN(number) ? "" : number.ToString(CultureInfo.InvariantCulture));
        if (column.Type is BooleanDataViewType)
            return Shown<bool>(row, column, truth => truth ? "true" : "false");
        if (column.Type is not TextDataViewType)
            throw new UserException(string.Create(CultureInfo.InvariantCulture, $"Column '{column.Name}' is of type {column.Type}, not text."));
        return Shown<ReadOnlyMemory<char>>(row, column, text => text.ToString());
    }

    private static Func<string> Shown<T>(DataViewRow row, DataViewSchema.Column column, Func<T, string> show)
    {
        var valueOf = row.GetGetter<T>(column);
        return () =>
        {
            T value = default!;
            valueOf(ref value);
            return show(value);
        };
    }
}
