using System.Globalization;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Offline;

/// <summary>What must be known of a type of values to keep, compare and show them.</summary>
internal sealed class Codec<T>
{
    internal Codec(Action<BinaryWriter, T> write, Func<BinaryReader, T> read, Func<T, string> text, T missing = default)
    {
        (Write, Read, Text, Missing) = (write, read, text, missing);
    }

    internal static Codec<T> Instance { get; } = Codecs.Find<T>();

    internal Action<BinaryWriter, T> Write { get; }

    internal Func<BinaryReader, T> Read { get; }

    internal Func<T, string> Text { get; }

    internal T Missing { get; }

    internal IEqualityComparer<T> Comparer { get; init; } = EqualityComparer<T>.Default;

    internal IComparer<T> Order { get; init; } = Comparer<T>.Default;
}

internal static class Codecs
{
    private static readonly Dictionary<Type, object> s_all = new()
    {
        [typeof(ReadOnlyMemory<char>)] = new Codec<ReadOnlyMemory<char>>(
            (w, v) => w.Write(v.ToString()), r => r.ReadText().AsMemory(), v => v.ToString())
        {
            Comparer = new TextComparer(), Order = new TextComparer(),
        },
        [typeof(bool)] = new Codec<bool>((w, v) => w.Write(v), r => r.ReadBoolean(), v => v ? "1" : "0"),
        [typeof(sbyte)] = new Codec<sbyte>((w, v) => w.Write(v), r => r.ReadSByte(), Invariant),
        [typeof(byte)] = new Codec<byte>((w, v) => w.Write(v), r => r.ReadByte(), Invariant),
        [typeof(short)] = new Codec<short>((w, v) => w.Write(v), r => r.ReadInt16(), Invariant),
        [typeof(ushort)] = new Codec<ushort>((w, v) => w.Write(v), r => r.ReadUInt16(), Invariant),
        [typeof(int)] = new Codec<int>((w, v) => w.Write(v), r => r.ReadInt32(), Invariant),
        [typeof(uint)] = new Codec<uint>((w, v) => w.Write(v), r => r.ReadUInt32(), Invariant),
        [typeof(long)] = new Codec<long>((w, v) => w.Write(v), r => r.ReadInt64(), Invariant),
        [typeof(ulong)] = new Codec<ulong>((w, v) => w.Write(v), r => r.ReadUInt64(), Invariant),
        [typeof(float)] = new Codec<float>((w, v) => w.Write(v), r => r.ReadSingle(), Invariant, float.NaN),
        [typeof(double)] = new Codec<double>((w, v) => w.Write(v), r => r.ReadDouble(), v => Format(v, "G17"), double.NaN),
        [typeof(DateTime)] = new Codec<DateTime>((w, v) => w.Write(v.Ticks), r => new DateTime(r.ReadInt64()), v => Format(v, "o")),
        [typeof(TimeSpan)] = new Codec<TimeSpan>((w, v) => w.Write(v.Ticks), r => new TimeSpan(r.ReadInt64()), v => Format(v, "c")),
        [typeof(DateTimeOffset)] = new Codec<DateTimeOffset>(
            (w, v) =>
            {
                w.Write(v.Ticks);
                w.Write(v.Offset.Ticks);
            },
            r => new DateTimeOffset(r.ReadInt64(), new TimeSpan(r.ReadInt64())),
            v => Format(v, "o")),
        [typeof(DataViewRowId)] = new Codec<DataViewRowId>(
            (w, v) =>
            {
                w.Write(v.Low);
                w.Write(v.High);
            },
            r => new DataViewRowId(r.ReadUInt64(), r.ReadUInt64()),
            v => v.ToString()),
    };

    internal static Codec<T> Find<T>() => s_all.TryGetValue(typeof(T), out var codec)
        ? (Codec<T>)codec
        : throw Contracts.Except($"Values of {typeof(T)} cannot be saved.");

    internal static bool Exists(Type type) => s_all.ContainsKey(type);

    private static string Invariant<T>(T value)
        where T : IFormattable => Format(value, null);

    private static string Format<T>(T value, string format)
        where T : IFormattable => value.ToString(format, CultureInfo.InvariantCulture);
}

file sealed class TextComparer : IEqualityComparer<ReadOnlyMemory<char>>, IComparer<ReadOnlyMemory<char>>
{
    public bool Equals(ReadOnlyMemory<char> x, ReadOnlyMemory<char> y) => x.Span.SequenceEqual(y.Span);

    public int GetHashCode(ReadOnlyMemory<char> obj) => string.GetHashCode(obj.Span);

    public int Compare(ReadOnlyMemory<char> x, ReadOnlyMemory<char> y) => x.Span.SequenceCompareTo(y.Span);
}
