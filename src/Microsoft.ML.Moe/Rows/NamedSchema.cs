namespace Microsoft.ML.Moe.Rows;

/// <summary>What messages call a table, and what they advise where one of its columns is not there.</summary>
internal sealed class TableName
{
    private const string SameSteps = "Transform it with the same steps as the training set.";

    private readonly string _advice;
    private readonly Func<string, string?> _optionOf;

    private TableName(string text, string advice = "", Func<string, string?>? optionOf = null) =>
        (Text, _advice, _optionOf) = (text, advice, optionOf ?? (_ => null));

    /// <summary>The only table that there is.</summary>
    public static TableName Table { get; } = new("table");

    /// <summary>Rows that choose the best epoch.</summary>
    public static TableName ValidationSet { get; } = new("validation set", SameSteps);

    /// <summary>Rows for a trained model.</summary>
    public static TableName ToScore { get; } = new("table to score", SameSteps);

    /// <summary>Rows to compare routers on.</summary>
    public static TableName ToCompareOn { get; } = new("data to compare on", SameSteps);

    /// <summary>Rows to measure a trained model on.</summary>
    public static TableName ToMeasureOn { get; } = new("data to measure on", SameSteps);

    /// <summary>What it is called.</summary>
    public string Text { get; }

    /// <summary>Rows to learn from.</summary>
    /// <param name="optionOf">Tells the option that names a column.</param>
    public static TableName TrainingSet(Func<string, string?> optionOf) => new("training set", "", optionOf);

    /// <summary>A table of an estimator that learns little or nothing.</summary>
    /// <param name="parameter">The parameter that names its column.</param>
    public static TableName InputOf(string parameter) => new("table", "", _ => parameter);

    /// <summary>What to do where a column is not there; empty, or after a space.</summary>
    /// <param name="column">The column.</param>
    public string AdviceFor(string column) =>
        (_optionOf(column) is { } option ? $" Name the right one in {option}." : "") + (_advice.Length > 0 ? $" {_advice}" : "");
}

/// <summary>Columns of a table, with what messages call it.</summary>
/// <param name="Schema">The columns.</param>
/// <param name="Table">The table.</param>
internal readonly record struct NamedSchema(DataViewSchema Schema, TableName Table)
{
    /// <summary>Those of the only table that there is.</summary>
    public static implicit operator NamedSchema(DataViewSchema schema) => new(schema, TableName.Table);
}

/// <summary>Columns that are promised of a table, with what messages call it.</summary>
/// <param name="Schema">The columns.</param>
/// <param name="Table">The table.</param>
internal readonly record struct NamedShape(SchemaShape Schema, TableName Table);
