using Microsoft.ML.Data;
using Microsoft.ML.Moe.Rows;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>Finds and reads the columns that evaluations take, or says which is missing, of the wrong type or without a value.</summary>
internal static class EvaluationColumns
{
    /// <summary>Finds a column of embeddings.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing or no vector of a known size.</exception>
    public static DataViewSchema.Column Embeddings(DataViewSchema schema, string name)
    {
        var column = InputColumns.Find(schema, name, "embedding");
        return column.Type is VectorDataViewType { Size: > 0 } vector && vector.ItemType == NumberDataViewType.Single
            ? column
            : throw InputColumns.WrongType(name, "embedding", column.Type, "a vector of Single of known size");
    }

    /// <summary>Finds a column of numbers.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing, or neither a number nor Boolean.</exception>
    public static DataViewSchema.Column Numbers(DataViewSchema schema, string name, string role)
    {
        var column = InputColumns.Find(schema, name, role);
        return column.Type is NumberDataViewType or BooleanDataViewType
            ? column
            : throw InputColumns.WrongType(name, role, column.Type, "a number or Boolean");
    }

    /// <summary>Finds a column of values that name something: labels or ids.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is missing or of a type that names nothing.</exception>
    public static DataViewSchema.Column Names(DataViewSchema schema, string name, string role)
    {
        var column = InputColumns.Find(schema, name, role);
        return column.Type is KeyDataViewType || LabelValueType.Of(column.Type) is not null
            ? column
            : throw InputColumns.WrongType(name, role, column.Type, "a key, text, number or Boolean");
    }

    /// <summary>Checks that two tables have a column of embeddings of the same size.</summary>
    /// <exception cref="ArgumentOutOfRangeException">They have not.</exception>
    public static void CheckSizes(IDataView one, IDataView other, string name)
    {
        ArgumentNullException.ThrowIfNull(one);
        ArgumentNullException.ThrowIfNull(other);
        CheckSizes(Embeddings(one.Schema, name), Embeddings(other.Schema, name));
    }

    /// <summary>Checks that two columns have vectors of the same size.</summary>
    /// <exception cref="ArgumentOutOfRangeException">They have not.</exception>
    public static void CheckSizes(DataViewSchema.Column one, DataViewSchema.Column other)
    {
        if (SizeOf(one) != SizeOf(other))
            throw new ArgumentOutOfRangeException(
                nameof(other),
                $"The embedding columns '{one.Name}' and '{other.Name}' have {SizeOf(one)} and {SizeOf(other)} numbers a row; "
                + "embeddings that are compared must come from one model.");
    }

    /// <summary>Reads embeddings.</summary>
    /// <returns>
    /// Reads the current row's; throws <see cref="InvalidOperationException"/> where a number of it is missing or infinite.
    /// </returns>
    public static Func<float[]> EmbeddingReader(DataViewRowCursor cursor, DataViewSchema.Column column)
    {
        var getter = cursor.GetGetter<VBuffer<float>>(column);
        var buffer = default(VBuffer<float>);
        return () =>
        {
            getter(ref buffer);
            float[] values = [.. buffer.DenseValues()];
            return Array.TrueForAll(values, float.IsFinite) ? values : throw Wrong(cursor, column, "an embedding that is not finite");
        };
    }

    /// <summary>Reads numbers; Boolean is 1 and 0.</summary>
    /// <returns>Reads the current row's; throws <see cref="InvalidOperationException"/> where it is missing.</returns>
    public static Func<double> NumberReader(DataViewRowCursor cursor, DataViewSchema.Column column)
    {
        var read = Type.GetTypeCode(column.Type.RawType) switch
        {
            TypeCode.Boolean => Read<bool>(cursor, column, v => v ? 1 : 0),
            TypeCode.SByte => Read<sbyte>(cursor, column, v => v),
            TypeCode.Byte => Read<byte>(cursor, column, v => v),
            TypeCode.Int16 => Read<short>(cursor, column, v => v),
            TypeCode.UInt16 => Read<ushort>(cursor, column, v => v),
            TypeCode.Int32 => Read<int>(cursor, column, v => v),
            TypeCode.UInt32 => Read<uint>(cursor, column, v => v),
            TypeCode.Int64 => Read<long>(cursor, column, v => v),
            TypeCode.UInt64 => Read<ulong>(cursor, column, v => v),
            TypeCode.Double => Read<double>(cursor, column, v => v),
            _ => Read<float>(cursor, column, v => v),
        };
        return () => read() is var value && double.IsFinite(value) ? value : throw Wrong(cursor, column, "no finite number");
    }

    /// <summary>Reads values that name something, as text.</summary>
    /// <returns>Reads the current row's; throws <see cref="InvalidOperationException"/> where it is missing.</returns>
    public static Func<string> NameReader(DataViewRowCursor cursor, DataViewSchema.Column column)
    {
        var read = OptionalNameReader(cursor, column);
        return () => read() ?? throw Wrong(cursor, column, "no value");
    }

    /// <summary>Reads values that name something, as text.</summary>
    /// <returns>Reads the current row's; null where it is missing.</returns>
    public static Func<string?> OptionalNameReader(DataViewRowCursor cursor, DataViewSchema.Column column)
    {
        if (column.Type is not KeyDataViewType)
        {
            var read = LabelValueType.Of(column.Type)!.CreateTextReader(cursor, column);
            return () => read() is { Length: > 0 } value ? value : null;
        }

        var (key, values) = (LabelReader.OfKeys(cursor, column), LabelValues.Of(column)?.Texts);
        return () => key() is >= 0 and var i
            ? values?[i] ?? (i + 1).ToString(System.Globalization.CultureInfo.InvariantCulture)
            : null;
    }

    private static int SizeOf(DataViewSchema.Column column) => ((VectorDataViewType)column.Type).Size;

    private static Func<double> Read<T>(DataViewRowCursor cursor, DataViewSchema.Column column, Func<T, double> widen)
        where T : struct
    {
        var getter = cursor.GetGetter<T>(column);
        T value = default;
        return () =>
        {
            getter(ref value);
            return widen(value);
        };
    }

    private static InvalidOperationException Wrong(DataViewRowCursor cursor, DataViewSchema.Column column, string what) =>
        new($"Row {cursor.Position + 1} has {what} in column '{column.Name}'.");
}
