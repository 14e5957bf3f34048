using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Cluster;

/// <summary>
/// A digest of a table: names and types of its columns, and the values of all rows, as far as they are numbers, truth values, keys or
/// texts, or vectors of them. Of other columns, such as images, names and types count alone.
/// </summary>
internal static class TableDigest
{
    /// <summary>Reads a table to its end.</summary>
    public static string Of(IDataView table)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        DataViewSchema.Column[] columns = [.. table.Schema.Where(column => !column.IsHidden)];
        foreach (var column in columns)
            Append(hash, $"{column.Name}: {column.Type}\n");
        using var cursor = table.GetRowCursor(columns);
        Action[] readers = [.. columns.Select(column => ReaderOf(hash, cursor, column)).OfType<Action>()];
        var rows = 0L;
        for (; cursor.MoveNext(); rows++)
            foreach (var read in readers)
                read();
        return string.Create(CultureInfo.InvariantCulture, $"{rows} rows {Convert.ToHexStringLower(hash.GetHashAndReset())[..16]}");
    }

    /// <summary>Digest of a file.</summary>
    public static string OfFile(string path)
    {
        using var stream = File.OpenRead(path);
        return Convert.ToHexStringLower(SHA256.HashData(stream))[..16];
    }

    /// <summary>Number of a table's rows.</summary>
    public static long Count(IDataView table)
    {
        if (table.GetRowCount() is { } count)
            return count;
        using var cursor = table.GetRowCursor([]);
        for (count = 0; cursor.MoveNext(); count++)
        {
        }

        return count;
    }

    private static Action? ReaderOf(IncrementalHash hash, DataViewRow row, DataViewSchema.Column column)
    {
        var item = column.Type is VectorDataViewType vector ? vector.ItemType : column.Type;
        return Type.GetTypeCode(item.RawType) switch
        {
            TypeCode.Boolean => Numbers<bool>(hash, row, column),
            TypeCode.SByte => Numbers<sbyte>(hash, row, column),
            TypeCode.Byte => Numbers<byte>(hash, row, column),
            TypeCode.Int16 => Numbers<short>(hash, row, column),
            TypeCode.UInt16 => Numbers<ushort>(hash, row, column),
            TypeCode.Int32 => Numbers<int>(hash, row, column),
            TypeCode.UInt32 => Numbers<uint>(hash, row, column),
            TypeCode.Int64 => Numbers<long>(hash, row, column),
            TypeCode.UInt64 => Numbers<ulong>(hash, row, column),
            TypeCode.Single => Numbers<float>(hash, row, column),
            TypeCode.Double => Numbers<double>(hash, row, column),
            _ when item is TextDataViewType => Reader<ReadOnlyMemory<char>>(hash, row, column, texts =>
            {
                foreach (var text in texts)
                    Append(hash, $"{text.Length}:{text}");
            }),
            _ => null,
        };
    }

    private static Action Numbers<T>(IncrementalHash hash, DataViewRow row, DataViewSchema.Column column)
        where T : unmanaged => Reader<T>(hash, row, column, values => hash.AppendData(MemoryMarshal.AsBytes(values)));

    /// <summary>Reads a value, or all of a vector and how many they are.</summary>
    private static Action Reader<T>(IncrementalHash hash, DataViewRow row, DataViewSchema.Column column, ReadAction<T> take)
    {
        if (column.Type is not VectorDataViewType)
        {
            var single = row.GetGetter<T>(column);
            var value = new T[1];
            return () =>
            {
                single(ref value[0]);
                take(value);
            };
        }

        var getter = row.GetGetter<VBuffer<T>>(column);
        var buffer = default(VBuffer<T>);
        return () =>
        {
            getter(ref buffer);
            Append(hash, $"[{buffer.Length}]");
            take(buffer.DenseValues().ToArray());
        };
    }

    private static void Append(IncrementalHash hash, string text) => hash.AppendData(Encoding.UTF8.GetBytes(text));

    private delegate void ReadAction<T>(ReadOnlySpan<T> values);
}
