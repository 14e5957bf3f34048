using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

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
    public static LabelClasses Of(NamedSchema schema, string name)
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
                ? $"All {table.MissingLabels} training rows lack a label in column '{Column.Name}'; is the separator right?"
                : "The training data has no rows.");
        var first = table.Counting[0].Target;
        if (table.Counting.All(r => r.Target == first))
            throw new InvalidOperationException(
                $"All training rows{(table.Counting.Count < table.Rows.Count ? " of weight over 0" : "")} have the same label in column '{Column.Name}', {Values?.Texts[(int)first] ?? $"key {first + 1}"}; "
                + "a classifier needs at least two classes.");
    }

    /// <summary>
    /// Looks whether every row has a label of its own: that of whole lines is an error, since they were read with a wrong separator; of others
    /// it is possible, but nothing can be validated.
    /// </summary>
    /// <exception cref="InvalidOperationException">Labels are whole lines.</exception>
    public void CheckRepeat<TRow>(LabelledTable<TRow> table, IChannel channel)
    {
        var rows = table.Counting;
        if (rows.Count < FewestRowsThatRepeat || rows.DistinctBy(row => row.Target).Count() < rows.Count)
            return;
        var texts = rows.Select(row => Values?.Texts[(int)row.Target] ?? "").ToList();
        var message = $"Each of the {rows.Count} training rows has a label of its own in column '{Column.Name}', such as '{Shown(texts[0])}'";
        if (Separators.Any(separator => texts.TrueForAll(text => text.Contains(separator, StringComparison.Ordinal))))
            throw new InvalidOperationException($"{message}: these look like lines of several columns; is the separator right?");
        channel.Warning(MessageSensitivity.UserData | MessageSensitivity.Schema, $"{message}; is it the right column?");
    }

    private const int FewestRowsThatRepeat = 20;
    private const int CharactersShown = 60;
    private static readonly char[] Separators = [',', ';', '\t', '|'];

    private static string Shown(string text) => text.Length <= CharactersShown ? text : $"{text[..CharactersShown]}…";

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
