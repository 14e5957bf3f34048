using System.Globalization;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Trainers;

/// <summary>The label of a table of features: what is learned of it, and how it is read.</summary>
internal abstract class FeatureLabel
{
    /// <summary>The label's column in the training set.</summary>
    public abstract DataViewSchema.Column Column { get; }

    /// <summary>What is learned.</summary>
    public abstract FeatureTask Task { get; }

    /// <summary>What it is, for the log.</summary>
    public abstract string Description { get; }

    /// <summary>Classes that an earlier model and this label have in common.</summary>
    public virtual LabelClasses? Classes => null;

    /// <summary>Finds the label in another table.</summary>
    public abstract DataViewSchema.Column Find(NamedSchema schema);

    /// <summary>Reads the label of the training set.</summary>
    public abstract Func<float> ReaderOf(DataViewRow row);

    /// <summary>Reads the label of a validation set.</summary>
    public abstract Func<float> ReaderOf(DataViewRow row, DataViewSchema.Column column);

    /// <summary>Checks that there is something to learn.</summary>
    /// <exception cref="InvalidOperationException">There is not.</exception>
    public abstract void Check<TRow>(LabelledTable<TRow> table);

    /// <summary>The label of all rows that count; null where they have several.</summary>
    protected static float? SameLabel<TRow>(LabelledTable<TRow> table)
    {
        var first = table.Counting[0].Target;
        return table.Counting.All(row => row.Target == first) ? first : null;
    }

    /// <summary>Throws where there are no rows.</summary>
    protected void CheckRows<TRow>(LabelledTable<TRow> table)
    {
        if (table.Rows.Count == 0)
            throw new InvalidOperationException(table.MissingLabels > 0
                ? $"All {table.MissingLabels} training rows lack a label in column '{Column.Name}'; is the separator right?"
                : "The training data has no rows.");
    }
}

/// <summary>One of several classes.</summary>
internal sealed class ClassesLabel(LabelClasses classes) : FeatureLabel
{
    public override DataViewSchema.Column Column => classes.Column;

    public override FeatureTask Task => FeatureTask.Classes(classes.Count);

    public override string Description => $"{classes.Count} classes";

    public override LabelClasses Classes => classes;

    public override DataViewSchema.Column Find(NamedSchema schema) => InputColumns.Find(schema, Column.Name, "label");

    public override Func<float> ReaderOf(DataViewRow row) => AsTarget(LabelReader.OfKeys(row, Column));

    public override Func<float> ReaderOf(DataViewRow row, DataViewSchema.Column column) =>
        AsTarget(LabelReader.Matching(row, column, classes.Count, classes.Values, "validation set"));

    public override void Check<TRow>(LabelledTable<TRow> table) => classes.Check(table);

    private static Func<float> AsTarget(Func<int> read) => () => LabelReader.TargetOf(read());
}

/// <summary>Yes or no.</summary>
internal sealed class BinaryLabel(NamedSchema schema, string name) : FeatureLabel
{
    private const string Wanted = "Boolean; map the label to true and false, with mlContext.Transforms.Conversion.MapValue for example";

    public override DataViewSchema.Column Column { get; } = InputColumns.Label(schema, name, BooleanDataViewType.Instance, Wanted);

    public override FeatureTask Task => FeatureTask.Binary;

    public override string Description => "a label of true and false";

    public static void Check(NamedShape schema, string name) => InputColumns.CheckLabel(schema, name, BooleanDataViewType.Instance, Wanted);

    public override DataViewSchema.Column Find(NamedSchema schema) =>
        InputColumns.Label(schema, Column.Name, BooleanDataViewType.Instance, Wanted);

    public override Func<float> ReaderOf(DataViewRow row) => ReaderOf(row, Column);

    public override Func<float> ReaderOf(DataViewRow row, DataViewSchema.Column column)
    {
        var getter = row.GetGetter<bool>(column);
        var value = false;
        return () =>
        {
            getter(ref value);
            return value ? 1f : 0f;
        };
    }

    public override void Check<TRow>(LabelledTable<TRow> table)
    {
        CheckRows(table);
        if (SameLabel(table) is { } label)
            throw new InvalidOperationException(
                $"All training rows have the same label in column '{Column.Name}', {(label == 1f ? "true" : "false")}; a classifier needs both.");
    }
}

/// <summary>A number.</summary>
internal sealed class ValueLabel(NamedSchema schema, string name) : FeatureLabel
{
    private const string Wanted = "Single; convert it with mlContext.Transforms.Conversion.ConvertType";

    public override DataViewSchema.Column Column { get; } = InputColumns.Label(schema, name, NumberDataViewType.Single, Wanted);

    public override FeatureTask Task => FeatureTask.Value;

    public override string Description => "a label of numbers";

    public static void Check(NamedShape schema, string name) => InputColumns.CheckLabel(schema, name, NumberDataViewType.Single, Wanted);

    public override DataViewSchema.Column Find(NamedSchema schema) =>
        InputColumns.Label(schema, Column.Name, NumberDataViewType.Single, Wanted);

    public override Func<float> ReaderOf(DataViewRow row) => ReaderOf(row, Column);

    public override Func<float> ReaderOf(DataViewRow row, DataViewSchema.Column column)
    {
        var getter = row.GetGetter<float>(column);
        var value = 0f;
        return () =>
        {
            getter(ref value);
            if (float.IsInfinity(value))
                throw new InvalidOperationException($"Row {row.Position + 1} has the label {value} in column '{column.Name}'; labels are finite numbers.");
            return value;
        };
    }

    public override void Check<TRow>(LabelledTable<TRow> table)
    {
        CheckRows(table);
        if (table.Counting.Count > 1 && SameLabel(table) is { } label)
            throw new InvalidOperationException(string.Create(
                CultureInfo.InvariantCulture,
                $"All {table.Counting.Count} training rows have the same label in column '{Column.Name}', {label}: there is nothing to learn."));
    }
}
