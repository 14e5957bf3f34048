using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Rows;

/// <summary>Finds the columns that are read, or says which is missing or of the wrong type.</summary>
internal static class InputColumns
{
    private const int ColumnsListed = 20;
    private const string TextsWanted = "text (String) or a vector of texts";

    /// <summary>Finds the text columns: one, or two of a pair.</summary>
    /// <exception cref="ArgumentOutOfRangeException">One is missing or not text.</exception>
    public static DataViewSchema.Column[] Texts(DataViewSchema schema, string first, string? second = null) =>
        second is null ? [Text(schema, first)] : [Text(schema, first), Text(schema, second)];

    /// <summary>Finds text columns.</summary>
    /// <exception cref="ArgumentOutOfRangeException">One is missing or not text.</exception>
    public static DataViewSchema.Column[] Texts(DataViewSchema schema, IEnumerable<string> names) =>
        [.. names.Select(name => Text(schema, name))];

    /// <summary>Finds a column of texts, or of vectors of texts.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing or neither.</exception>
    public static DataViewSchema.Column TextOrTexts(DataViewSchema schema, string name, string role)
    {
        var column = Find(schema, name, role);
        return column.Type is TextDataViewType or VectorDataViewType { ItemType: TextDataViewType }
            ? column
            : throw WrongType(name, role, column.Type, TextsWanted);
    }

    /// <summary>Finds the label column, a key.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing or not a key.</exception>
    public static DataViewSchema.Column Label(DataViewSchema schema, string name)
    {
        var column = Find(schema, name, "label");
        return column.Type is KeyDataViewType ? column : throw NotAKey(name, column.Type);
    }

    /// <summary>Finds the column of example weights.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing or not a single-precision number.</exception>
    public static DataViewSchema.Column Weight(DataViewSchema schema, string name)
    {
        var column = Find(schema, name, "weight");
        return column.Type is NumberDataViewType && column.Type.RawType == typeof(float)
            ? column
            : throw WrongType(name, "weight", column.Type, "Single");
    }

    /// <summary>Finds a column.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing.</exception>
    public static DataViewSchema.Column Find(DataViewSchema schema, string name, string role)
    {
        ArgumentNullException.ThrowIfNull(schema);
        return schema.GetColumnOrNull(name) ?? throw Missing(name, role, schema.Where(c => !c.IsHidden).Select(c => c.Name));
    }

    /// <summary>Checks the text column that a schema promises.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing or not text.</exception>
    public static void CheckText(SchemaShape schema, string name)
    {
        var column = Find(schema, name, "text");
        if (column.Kind != SchemaShape.Column.VectorKind.Scalar || column.ItemType is not TextDataViewType)
            throw WrongType(name, "text", TypeOf(column), "text (String)");
    }

    /// <summary>Checks the column of texts, or of vectors of texts, that a schema promises.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing or neither.</exception>
    public static void CheckTextOrTexts(SchemaShape schema, string name, string role)
    {
        var column = Find(schema, name, role);
        if (column.IsKey || column.ItemType is not TextDataViewType)
            throw WrongType(name, role, TypeOf(column), TextsWanted);
    }

    /// <summary>Checks the label column that a schema promises.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing or not a key.</exception>
    public static SchemaShape.Column CheckLabel(SchemaShape schema, string name)
    {
        var column = Find(schema, name, "label");
        return column is { IsKey: true, Kind: SchemaShape.Column.VectorKind.Scalar } ? column : throw NotAKey(name, TypeOf(column));
    }

    /// <summary>Checks the column of example weights that a schema promises.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing or not a single-precision number.</exception>
    public static void CheckWeight(SchemaShape schema, string name)
    {
        var column = Find(schema, name, "weight");
        if (column.IsKey || column.Kind != SchemaShape.Column.VectorKind.Scalar || column.ItemType.RawType != typeof(float))
            throw WrongType(name, "weight", TypeOf(column), "Single");
    }

    private static DataViewSchema.Column Text(DataViewSchema schema, string name)
    {
        var column = Find(schema, name, "text");
        return column.Type is TextDataViewType ? column : throw WrongType(name, "text", column.Type, "text (String)");
    }

    /// <summary>Finds a column that a schema promises.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing.</exception>
    public static SchemaShape.Column Find(SchemaShape schema, string name, string role)
    {
        foreach (var column in schema)
            if (column.Name == name)
                return column;
        throw Missing(name, role, schema.Select(c => c.Name));
    }

    /// <summary>The type of a column that a schema promises, for messages.</summary>
    public static string TypeOf(SchemaShape.Column column)
    {
        var item = column.IsKey ? $"Key<{column.ItemType}>" : $"{column.ItemType}";
        return column.Kind == SchemaShape.Column.VectorKind.Scalar ? item : $"{column.Kind}<{item}>";
    }

    private static ArgumentOutOfRangeException Missing(string name, string role, IEnumerable<string> columns)
    {
        var known = columns.ToList();
        var listed = string.Join(", ", known.Take(ColumnsListed)) + (known.Count > ColumnsListed ? ", …" : "");
        return Wrong($"There is no {role} column '{name}'. The table's columns are: {listed}.");
    }

    /// <summary>The error for a column of the wrong type.</summary>
    public static ArgumentOutOfRangeException WrongType(string name, string role, object type, string wanted) =>
        Wrong($"The {role} column '{name}' is of type {type}, but must be {wanted}.");

    private static ArgumentOutOfRangeException NotAKey(string name, object type) => Wrong(
        $"The label column '{name}' is of type {type}, but must be a key. "
        + $"Append mlContext.Transforms.Conversion.MapValueToKey(\"{name}\") before this trainer.");

    private static ArgumentOutOfRangeException Wrong(string message) => new(message, innerException: null);
}
