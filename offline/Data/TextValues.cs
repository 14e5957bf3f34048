using System.Globalization;
using System.Numerics;
using Microsoft.ML.Data;

namespace Microsoft.ML.Offline;

/// <summary>From text to values: an empty field is the type's default; a real number that cannot be read is NaN.</summary>
internal static class TextValues
{
    private static readonly HashSet<string> s_yes =
        new(StringComparer.OrdinalIgnoreCase) { "t", "y", "1", "+", "+1", "yes", "true" };

    private static readonly HashSet<string> s_no =
        new(StringComparer.OrdinalIgnoreCase) { "f", "n", "0", "-", "-1", "no", "false" };

    private static readonly Dictionary<DataKind, (Type Raw, Delegate Parse)> s_kinds = new()
    {
        [DataKind.SByte] = (typeof(sbyte), Integer<sbyte>),
        [DataKind.Byte] = (typeof(byte), Integer<byte>),
        [DataKind.Int16] = (typeof(short), Integer<short>),
        [DataKind.UInt16] = (typeof(ushort), Integer<ushort>),
        [DataKind.Int32] = (typeof(int), Integer<int>),
        [DataKind.UInt32] = (typeof(uint), Integer<uint>),
        [DataKind.Int64] = (typeof(long), Integer<long>),
        [DataKind.UInt64] = (typeof(ulong), Integer<ulong>),
        [DataKind.Single] = (typeof(float), Real<float>),
        [DataKind.Double] = (typeof(double), Real<double>),
        [DataKind.String] = (typeof(ReadOnlyMemory<char>), (ReadOnlyMemory<char> text) => (true, text)),
        [DataKind.Boolean] = (typeof(bool), Boolean),
        [DataKind.DateTime] = (typeof(DateTime), (ReadOnlyMemory<char> text) =>
            (DateTime.TryParse(text.Span, CultureInfo.InvariantCulture, out var value) || text.IsEmpty, value)),
        [DataKind.DateTimeOffset] = (typeof(DateTimeOffset), (ReadOnlyMemory<char> text) =>
            (DateTimeOffset.TryParse(text.Span, CultureInfo.InvariantCulture, out var value) || text.IsEmpty, value)),
        [DataKind.TimeSpan] = (typeof(TimeSpan), (ReadOnlyMemory<char> text) =>
            (TimeSpan.TryParse(text.Span, CultureInfo.InvariantCulture, out var value) || text.IsEmpty, value)),
    };

    internal static DataKind? KindOf(Type raw) =>
        s_kinds.FirstOrDefault(k => k.Value.Raw == raw) is { Key: not 0 } found ? found.Key : null;

    internal static PrimitiveDataViewType TypeOf(TextLoader.Column column)
    {
        var kind = s_kinds[column.DataKind];
        return column.KeyCount == null ? Types.Of(kind.Raw) : Types.Key(kind.Raw, column.KeyCount);
    }

    internal static Func<ReadOnlyMemory<char>, (bool Good, T Value)> Parser<T>(TextLoader.Column column, DataViewType type) =>
        type is not KeyDataViewType key ? (Func<ReadOnlyMemory<char>, (bool, T)>)s_kinds[column.DataKind].Parse : text =>
        {
            var good = ulong.TryParse(text.Span.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var number);
            return (true, good && number < key.Count ? (T)Convert.ChangeType(number + 1, typeof(T)) : default);
        };

    private static (bool, T) Integer<T>(ReadOnlyMemory<char> text)
        where T : ISpanParsable<T> =>
        (T.TryParse(text.Span, CultureInfo.InvariantCulture, out var value) || text.IsEmpty, value);

    private static (bool, T) Real<T>(ReadOnlyMemory<char> text)
        where T : INumberBase<T>
    {
        var isNumber = T.TryParse(text.Span, NumberStyles.Float, CultureInfo.InvariantCulture, out var value);
        return (true, isNumber || text.Span.IsWhiteSpace() ? value : Codec<T>.Instance.Missing);
    }

    private static (bool, bool) Boolean(ReadOnlyMemory<char> text)
    {
        var word = text.ToString();
        var value = s_yes.Contains(word);
        return (value || word.Length == 0 || s_no.Contains(word), value);
    }
}
