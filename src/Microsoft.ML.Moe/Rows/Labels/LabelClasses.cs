using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Rows;

/// <summary>The classes that a label column tells.</summary>
/// <param name="Column">The label column, a key.</param>
/// <param name="Count">Number of classes, at least 2.</param>
/// <param name="Values">Values behind the keys, if any.</param>
internal sealed record LabelClasses(DataViewSchema.Column Column, int Count, LabelValues? Values)
{
    /// <summary>Finds the label column of a training set.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing, not a key, or has too many values.</exception>
    /// <exception cref="InvalidOperationException">It has a single value.</exception>
    public static LabelClasses Of(DataViewSchema schema, string name)
    {
        var column = InputColumns.Label(schema, name);
        return new LabelClasses(column, CountOf(column), LabelValues.Of(column));
    }

    /// <summary>Checks that there are rows of two classes at least.</summary>
    /// <exception cref="InvalidOperationException">There are not.</exception>
    public void Check<TRow>(LabelledTable<TRow> table)
    {
        if (table.Rows.Count == 0)
            throw new InvalidOperationException(table.MissingLabels > 0
                ? $"All {table.MissingLabels} training rows lack a label in column '{Column.Name}'."
                : "The training data has no rows.");
        var first = table.Rows[0].Target;
        if (table.Rows.All(r => r.Target == first))
            throw new InvalidOperationException(
                $"All training rows have the same label in column '{Column.Name}', {Values?.Texts[(int)first] ?? $"key {first + 1}"}; "
                + "a classifier needs at least two classes.");
    }

    private static int CountOf(DataViewSchema.Column label) => ((KeyDataViewType)label.Type).Count switch
    {
        > ClassifierHeadConfig.MaximumClasses and var count => throw new ArgumentOutOfRangeException(
            nameof(label),
            $"The label column '{label.Name}' has {count} key values; at most {ClassifierHeadConfig.MaximumClasses} classes are possible."),
        < 2 => throw new InvalidOperationException(
            $"The label column '{label.Name}' has a single key value; a classifier needs at least two classes."),
        var count => (int)count,
    };
}
