using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Classification;

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
            return Format(value);
        };
    }
}
