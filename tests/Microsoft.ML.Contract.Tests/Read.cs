using Microsoft.ML.Data;

namespace Microsoft.ML.Contract.Tests;

/// <summary>Short ways to look into data views.</summary>
internal static class Read
{
    public static T[] Values<T>(this IDataView data, string column) => [.. data.GetColumn<T>(column)];

    public static T[] Values<T>(this DataViewRowCursor cursor, string column)
    {
        var get = cursor.GetGetter<T>(cursor.Schema[column]);
        var values = new List<T>();
        while (cursor.MoveNext())
        {
            T value = default;
            get(ref value);
            values.Add(value);
        }

        return [.. values];
    }

    public static string[] KeyValues(this DataViewSchema.Column column)
    {
        VBuffer<ReadOnlyMemory<char>> values = default;
        column.GetKeyValues(ref values);
        return [.. values.DenseValues().Select(v => v.ToString())];
    }

    public static T[] KeyValues<T>(this DataViewSchema.Column column)
    {
        VBuffer<T> values = default;
        column.GetKeyValues(ref values);
        return [.. values.DenseValues()];
    }

    public static string[] SlotNames(this DataViewSchema.Column column)
    {
        VBuffer<ReadOnlyMemory<char>> values = default;
        column.GetSlotNames(ref values);
        return [.. values.DenseValues().Select(v => v.ToString())];
    }

    public static string[] Describe(this DataViewSchema schema) =>
        [.. schema.Select(c => $"{c.Name}: {c.Type}{(c.IsHidden ? " hidden" : "")}")];
}
