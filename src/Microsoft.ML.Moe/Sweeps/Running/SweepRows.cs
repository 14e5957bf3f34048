using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Sweeps.Running;

/// <summary>The rows of a sweep: those that trials learn from, and those that they are compared on.</summary>
/// <param name="Training">To learn from.</param>
/// <param name="Validation">To compare on.</param>
internal sealed record SweepRows(IDataView Training, IDataView Validation)
{
    /// <summary>Divides a table.</summary>
    /// <param name="input">The table.</param>
    /// <param name="options">How.</param>
    /// <param name="seed">Seeds what is drawn.</param>
    public static SweepRows Of(IDataView input, SweepOptions options, int seed)
    {
        var ml = new MLContext(seed);
        if (options.ValidationSet is { } given)
            return new(Kept(input), Kept(given));
        var split = ml.Data.TrainTestSplit(Kept(input), options.ValidationShare, seed: seed);
        return new(split.TrainSet, split.TestSet);

        IDataView Kept(IDataView rows) => options.CacheRows ? ml.Data.Cache(rows) : rows;
    }

    /// <summary>A digest of the rows' number and labels: enough to tell that a journal belongs to other rows.</summary>
    /// <param name="label">Name of the label column.</param>
    public string Digest(string label)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var text = string.Join('+', new[] { Training, Validation }.Select(rows => Count(rows, label, hash).ToString(CultureInfo.InvariantCulture)));
        return $"{text} {Convert.ToHexStringLower(hash.GetHashAndReset())[..16]}";
    }

    private static long Count(IDataView rows, string label, IncrementalHash hash)
    {
        var column = rows.Schema.GetColumnOrNull(label);
        using var cursor = rows.GetRowCursor(column is { } found ? [found] : []);
        var read = column is { } known ? TextOf(cursor, known) : static () => "";
        var count = 0L;
        for (; cursor.MoveNext(); count++)
            hash.AppendData(Encoding.UTF8.GetBytes(read() + "\n"));
        return count;
    }

    private static Func<string> TextOf(DataViewRow row, DataViewSchema.Column column) => Type.GetTypeCode(column.Type.RawType) switch
    {
        TypeCode.Boolean => Read<bool>(row, column),
        TypeCode.Byte => Read<byte>(row, column),
        TypeCode.UInt16 => Read<ushort>(row, column),
        TypeCode.UInt32 => Read<uint>(row, column),
        TypeCode.UInt64 => Read<ulong>(row, column),
        TypeCode.Int32 => Read<int>(row, column),
        TypeCode.Int64 => Read<long>(row, column),
        TypeCode.Single => Read<float>(row, column),
        TypeCode.Double => Read<double>(row, column),
        _ when column.Type is TextDataViewType => Read<ReadOnlyMemory<char>>(row, column),
        _ => static () => "",
    };

    private static Func<string> Read<T>(DataViewRow row, DataViewSchema.Column column)
        where T : struct
    {
        var getter = row.GetGetter<T>(column);
        T value = default;
        return () =>
        {
            getter(ref value);
            return Space.OptionText.Of(value);
        };
    }
}
