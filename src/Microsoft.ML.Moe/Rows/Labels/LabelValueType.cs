using System.Globalization;
using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Rows;

/// <summary>A type that the values behind a label's keys can have, with their form as text.</summary>
internal abstract class LabelValueType
{
    private static readonly LabelValueType<ReadOnlyMemory<char>> TextType =
        new("Text", TextDataViewType.Instance, v => v.ToString(), s => s.AsMemory());

    private static readonly LabelValueType[] All =
    [
        TextType,
        new LabelValueType<bool>("Boolean", BooleanDataViewType.Instance, v => v ? "true" : "false", bool.Parse),
        Number<sbyte>("SByte", NumberDataViewType.SByte),
        Number<byte>("Byte", NumberDataViewType.Byte),
        Number<short>("Int16", NumberDataViewType.Int16),
        Number<ushort>("UInt16", NumberDataViewType.UInt16),
        Number<int>("Int32", NumberDataViewType.Int32),
        Number<uint>("UInt32", NumberDataViewType.UInt32),
        Number<long>("Int64", NumberDataViewType.Int64),
        Number<ulong>("UInt64", NumberDataViewType.UInt64),
        Number<float>("Single", NumberDataViewType.Single),
        Number<double>("Double", NumberDataViewType.Double),
        new LabelValueType<DateTime>(
            "DateTime",
            DateTimeDataViewType.Instance,
            v => v.ToString("O", CultureInfo.InvariantCulture),
            s => DateTime.ParseExact(s, "O", CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind)),
        new LabelValueType<DateTimeOffset>(
            "DateTimeOffset",
            DateTimeOffsetDataViewType.Instance,
            v => v.ToString("O", CultureInfo.InvariantCulture),
            s => DateTimeOffset.ParseExact(s, "O", CultureInfo.InvariantCulture)),
        new LabelValueType<TimeSpan>(
            "TimeSpan",
            TimeSpanDataViewType.Instance,
            v => v.ToString("c", CultureInfo.InvariantCulture),
            s => TimeSpan.ParseExact(s, "c", CultureInfo.InvariantCulture)),
    ];

    private protected LabelValueType(string name, PrimitiveDataViewType type) => (Name, Type) = (name, type);

    /// <summary>Text.</summary>
    public static LabelValueType<ReadOnlyMemory<char>> Text => TextType;

    /// <summary>Name in files.</summary>
    public string Name { get; }

    /// <summary>The type.</summary>
    public PrimitiveDataViewType Type { get; }

    /// <summary>Finds the type that a column or annotation has.</summary>
    public static LabelValueType? Of(DataViewType type) => Array.Find(All, t => t.Type.Equals(type));

    /// <summary>Finds a type by <see cref="Name"/>.</summary>
    public static LabelValueType? Named(string? name) => Array.Find(All, t => t.Name == name);

    /// <summary>Label values from an annotation of a column.</summary>
    public abstract LabelValues FromAnnotation(DataViewSchema.Annotations annotations, string kind);

    /// <summary>Label values from their form as text.</summary>
    /// <exception cref="FormatException">A text is not of this type.</exception>
    /// <exception cref="OverflowException">A text is not of this type.</exception>
    public abstract LabelValues FromTexts(IReadOnlyList<string> texts);

    /// <summary>Reads a column of this type as text; a missing value is an empty one.</summary>
    public abstract Func<string> CreateTextReader(DataViewRow row, DataViewSchema.Column column);

    private static LabelValueType<T> Number<T>(string name, PrimitiveDataViewType type)
        where T : IFormattable, IParsable<T> =>
        new(name, type, v => v.ToString(null, CultureInfo.InvariantCulture), s => T.Parse(s, CultureInfo.InvariantCulture));
}

/// <summary>A type that the values behind a label's keys can have.</summary>
internal sealed class LabelValueType<T> : LabelValueType
{
    private readonly Func<string, T> _parse;

    public LabelValueType(string name, PrimitiveDataViewType type, Func<T, string> format, Func<string, T> parse)
        : base(name, type)
    {
        Format = format;
        _parse = parse;
    }

    /// <summary>A value as text; different values have different texts.</summary>
    public Func<T, string> Format { get; }

    // as MapValueToKey has it, which gives it no key
    private static bool IsMissing(T value) => value is float and float.NaN or double and double.NaN;

    public override LabelValues FromAnnotation(DataViewSchema.Annotations annotations, string kind)
    {
        VBuffer<T> values = default;
        annotations.GetValue(kind, ref values);
        return new LabelValues<T>(this, [.. values.DenseValues()]);
    }

    public override LabelValues FromTexts(IReadOnlyList<string> texts) => new LabelValues<T>(this, [.. texts.Select(_parse)]);

    public override Func<string> CreateTextReader(DataViewRow row, DataViewSchema.Column column)
    {
        var getter = row.GetGetter<T>(column);
        T value = default!;
        return () =>
        {
            getter(ref value);
            return IsMissing(value) ? "" : Format(value);
        };
    }
}
