using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Classification;

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
