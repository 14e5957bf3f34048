using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Rows;

/// <summary>Finds the columns that are read, or says which is missing or of the wrong type.</summary>
internal static class InputColumns
{
    private const int ColumnsListed = 20;
    private const string WeightWanted = "Single; convert it with mlContext.Transforms.Conversion.ConvertType";
    private const string TextsWanted = "text (String) or a vector of texts";

    /// <summary>Finds the text columns: one, or two of a pair.</summary>
    /// <exception cref="ArgumentOutOfRangeException">One is missing or not text.</exception>
    public static DataViewSchema.Column[] Texts(NamedSchema schema, string first, string? second = null) =>
        second is null ? [Text(schema, first)] : [Text(schema, first), Text(schema, second)];

    /// <summary>Finds text columns.</summary>
    /// <exception cref="ArgumentOutOfRangeException">One is missing or not text.</exception>
    public static DataViewSchema.Column[] Texts(NamedSchema schema, IEnumerable<string> names) =>
        [.. names.Select(name => Text(schema, name))];

    /// <summary>Finds a column of texts, or of vectors of texts.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing or neither.</exception>
    public static DataViewSchema.Column TextOrTexts(NamedSchema schema, string name, string role)
    {
        var column = Find(schema, name, role);
        return column.Type is TextDataViewType or VectorDataViewType { ItemType: TextDataViewType }
            ? column
            : throw WrongType(name, role, column.Type, TextsWanted, schema.Table);
    }

    /// <summary>Finds the label column, a key.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing or not a key.</exception>
    public static DataViewSchema.Column Label(NamedSchema schema, string name)
    {
        var column = Find(schema, name, "label");
        return column.Type is KeyDataViewType ? column : throw NotAKey(name, column.Type, schema.Table);
    }

    /// <summary>Finds the column of example weights.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing or not a single-precision number.</exception>
    public static DataViewSchema.Column Weight(NamedSchema schema, string name)
    {
        var column = Find(schema, name, "weight");
        return column.Type is NumberDataViewType && column.Type.RawType == typeof(float)
            ? column
            : throw WrongType(name, "weight", column.Type, WeightWanted, schema.Table);
    }

    /// <summary>Finds a label column of single values of one type.</summary>
    /// <param name="schema">The table.</param>
    /// <param name="name">Name of the column.</param>
    /// <param name="type">Its type.</param>
    /// <param name="wanted">What the type is called, and how to come by it.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is missing or of another type.</exception>
    public static DataViewSchema.Column Label(NamedSchema schema, string name, DataViewType type, string wanted)
    {
        var column = Find(schema, name, "label");
        return column.Type.Equals(type) ? column : throw WrongType(name, "label", column.Type, wanted, schema.Table);
    }

    /// <summary>Checks a label column of single values of one type that a schema promises.</summary>
    /// <inheritdoc cref="Label(NamedSchema, string, DataViewType, string)"/>
    public static void CheckLabel(NamedShape schema, string name, DataViewType type, string wanted)
    {
        var column = Find(schema, name, "label");
        if (column.IsKey || column.Kind != SchemaShape.Column.VectorKind.Scalar || !column.ItemType.Equals(type))
            throw WrongType(name, "label", TypeOf(column), wanted, schema.Table);
    }

    /// <summary>Finds a column.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing.</exception>
    public static DataViewSchema.Column Find(NamedSchema schema, string name, string role)
    {
        ArgumentNullException.ThrowIfNull(schema.Schema);
        return schema.Schema.GetColumnOrNull(name)
            ?? throw Missing(name, role, schema.Schema.Where(c => !c.IsHidden).Select(c => c.Name), schema.Table);
    }

    /// <summary>Checks the text column that a schema promises.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing or not text.</exception>
    public static void CheckText(NamedShape schema, string name)
    {
        var column = Find(schema, name, "text");
        if (column.Kind != SchemaShape.Column.VectorKind.Scalar || column.ItemType is not TextDataViewType)
            throw WrongType(name, "text", TypeOf(column), "text (String)", schema.Table);
    }

    /// <summary>Checks the column of texts, or of vectors of texts, that a schema promises.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing or neither.</exception>
    public static void CheckTextOrTexts(NamedShape schema, string name, string role)
    {
        var column = Find(schema, name, role);
        if (column.IsKey || column.ItemType is not TextDataViewType)
            throw WrongType(name, role, TypeOf(column), TextsWanted, schema.Table);
    }

    /// <summary>Checks the label column that a schema promises.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing or not a key.</exception>
    public static SchemaShape.Column CheckLabel(NamedShape schema, string name)
    {
        var column = Find(schema, name, "label");
        return column is { IsKey: true, Kind: SchemaShape.Column.VectorKind.Scalar } ? column : throw NotAKey(name, TypeOf(column), schema.Table);
    }

    /// <summary>Checks the column of example weights that a schema promises.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing or not a single-precision number.</exception>
    public static void CheckWeight(NamedShape schema, string name)
    {
        var column = Find(schema, name, "weight");
        if (column.IsKey || column.Kind != SchemaShape.Column.VectorKind.Scalar || column.ItemType.RawType != typeof(float))
            throw WrongType(name, "weight", TypeOf(column), WeightWanted, schema.Table);
    }

    private static DataViewSchema.Column Text(NamedSchema schema, string name)
    {
        var column = Find(schema, name, "text");
        return column.Type is TextDataViewType ? column : throw WrongType(name, "text", column.Type, "text (String)", schema.Table);
    }

    /// <summary>Finds a column that a schema promises.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing.</exception>
    public static SchemaShape.Column Find(NamedShape schema, string name, string role)
    {
        foreach (var column in schema.Schema)
            if (column.Name == name)
                return column;
        throw Missing(name, role, schema.Schema.Select(c => c.Name), schema.Table);
    }

    /// <summary>The type of a column that a schema promises, for messages.</summary>
    public static string TypeOf(SchemaShape.Column column)
    {
        var item = column.IsKey ? $"Key<{column.ItemType}>" : $"{column.ItemType}";
        return column.Kind == SchemaShape.Column.VectorKind.Scalar ? item : $"{column.Kind}<{item}>";
    }

    private static ArgumentOutOfRangeException Missing(string name, string role, IEnumerable<string> columns, TableName table)
    {
        var known = columns.ToList();
        var listed = string.Join(", ", known.Take(ColumnsListed)) + (known.Count > ColumnsListed ? ", …" : "");
        return Wrong($"The {table.Text} has no {role} column '{name}'; its columns are: {listed}.{table.AdviceFor(name)}");
    }

    /// <summary>The error for a column of the wrong type.</summary>
    public static ArgumentOutOfRangeException WrongType(string name, string role, object type, string wanted, TableName? table = null) =>
        Wrong($"The {role} column '{name}' is of type {type}{In(table)}, but must be {wanted}.");

    private static ArgumentOutOfRangeException NotAKey(string name, object type, TableName table) => Wrong(
        $"The label column '{name}' is of type {type}{In(table)}, but must be a key. "
        + $"Append mlContext.Transforms.Conversion.MapValueToKey(\"{name}\") before this trainer.");

    private static string In(TableName? table) => table is null || table.Text == TableName.Table.Text ? "" : $" in the {table.Text}";

    private static ArgumentOutOfRangeException Wrong(string message) => new(message, innerException: null);
}
