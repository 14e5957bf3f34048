using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Rows;

/// <summary>Reads a label column as class numbers.</summary>
internal static class LabelReader
{
    /// <summary>The label of a row is missing.</summary>
    public const int Missing = -1;

    /// <summary>The label is not among the classes.</summary>
    public const int Unknown = -2;

    /// <summary>In place of a target: the label of a row is missing.</summary>
    public const float MissingTarget = float.NaN;

    /// <summary>In place of a target: the label is not among the classes.</summary>
    public const float UnknownTarget = float.NegativeInfinity;

    /// <summary>A label as the target that a model learns.</summary>
    public static float TargetOf(int label) => label switch
    {
        Missing => MissingTarget,
        Unknown => UnknownTarget,
        _ => label,
    };

    /// <summary>Reads a key column: class = key − 1.</summary>
    public static Func<int> OfKeys(DataViewRow row, DataViewSchema.Column column) => Type.GetTypeCode(column.Type.RawType) switch
    {
        TypeCode.Byte => Read<byte>(row, column, key => key),
        TypeCode.UInt16 => Read<ushort>(row, column, key => key),
        TypeCode.UInt64 => Read<ulong>(row, column, key => key),
        _ => Read<uint>(row, column, key => key),
    };

    /// <summary>Reads the label column of another table than the training set as classes of the training set's label column.</summary>
    /// <param name="row">Cursor over the table.</param>
    /// <param name="column">Its label column: keys, or plain values of the type behind the training set's keys.</param>
    /// <param name="classes">Number of classes.</param>
    /// <param name="labels">Values behind the training set's keys, if any.</param>
    /// <param name="table">What messages call the table.</param>
    /// <exception cref="ArgumentOutOfRangeException">The labels cannot be compared.</exception>
    public static Func<int> Matching(DataViewRow row, DataViewSchema.Column column, int classes, LabelValues? labels, string table)
    {
        var own = column.Type is KeyDataViewType ? LabelValues.Of(column) : null;
        if (labels is null || (own is null && column.Type is KeyDataViewType))
            return labels is null && column.Type is KeyDataViewType { Count: var count } && count == (ulong)classes
                ? OfKeys(row, column)
                : throw NotComparable(column, labels, table);
        var type = own?.Type ?? LabelValueType.Of(column.Type);
        if (type != labels.Type)
            throw NotComparable(column, labels, table);

        var classOf = new Dictionary<string, int>(labels.Texts.Count);
        for (var i = 0; i < labels.Texts.Count; i++)
            classOf.TryAdd(labels.Texts[i], i);
        if (own is null)
        {
            var text = type.CreateTextReader(row, column);
            return () => text() is { Length: > 0 } known ? classOf.GetValueOrDefault(known, Unknown) : Missing;
        }

        var classOfKey = own.Texts.Select(t => classOf.GetValueOrDefault(t, Unknown)).ToArray();
        var key = OfKeys(row, column);
        return () => key() is var i and >= 0 ? classOfKey[i] : Missing;
    }

    private static Func<int> Read<T>(DataViewRow row, DataViewSchema.Column column, Func<T, ulong> widen)
        where T : struct
    {
        var getter = row.GetGetter<T>(column);
        var count = ((KeyDataViewType)column.Type).Count;
        T key = default;
        return () =>
        {
            getter(ref key);
            var value = widen(key);
            return value == 0 || value > count ? Missing : (int)(value - 1);
        };
    }

    private static ArgumentOutOfRangeException NotComparable(DataViewSchema.Column column, LabelValues? labels, string table) => new(
        nameof(column),
        $"The label column '{column.Name}' of the {table} is of type {column.Type}, which cannot be compared with the training "
        + $"set's keys ({(labels is null ? "without values" : $"of {labels.Type.Name} values")}). Transform both sets with the same MapValueToKey.");
}
