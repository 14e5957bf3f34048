using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Rows;

/// <summary>The values behind the label's keys, in the order of the keys and of the classes.</summary>
internal abstract class LabelValues
{
    /// <summary>The values' type.</summary>
    public abstract LabelValueType Type { get; }

    /// <summary>The values as text.</summary>
    public abstract IReadOnlyList<string> Texts { get; }

    /// <summary>Adds the values to a column's annotations.</summary>
    public abstract void AddTo(DataViewSchema.Annotations.Builder annotations, string kind);

    /// <summary>The values behind a key column, null when it has none.</summary>
    /// <exception cref="ArgumentOutOfRangeException">They have a type that cannot be saved.</exception>
    public static LabelValues? Of(DataViewSchema.Column column)
    {
        if (column.Annotations.Schema.GetColumnOrNull(Annotation.KeyValues)?.Type is not VectorDataViewType vector
            || column.Type is not KeyDataViewType key || (ulong)vector.Size != key.Count)
            return null;
        var type = LabelValueType.Of(vector.ItemType) ?? throw new ArgumentOutOfRangeException(
            nameof(column), $"The values behind the keys of column '{column.Name}' are of type {vector.ItemType}, which is not supported.");
        return type.FromAnnotation(column.Annotations, Annotation.KeyValues);
    }
}

/// <summary>The values behind the label's keys.</summary>
internal sealed class LabelValues<T> : LabelValues
{
    private readonly T[] _values;

    public LabelValues(LabelValueType<T> type, T[] values)
    {
        Type = type;
        _values = values;
        Texts = Array.ConvertAll(values, v => type.Format(v));
    }

    public override LabelValueType Type { get; }

    public override IReadOnlyList<string> Texts { get; }

    public override void AddTo(DataViewSchema.Annotations.Builder annotations, string kind) => annotations.Add(
        kind,
        new VectorDataViewType(Type.Type, _values.Length),
        (ref VBuffer<T> destination) =>
        {
            var editor = VBufferEditor.Create(ref destination, _values.Length);
            _values.CopyTo(editor.Values);
            destination = editor.Commit();
        });
}
