using Microsoft.ML.Data;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Rows;

namespace Microsoft.ML.Moe.Scoring;

/// <summary>Annotations by which ML.NET's evaluators find the columns that were scored together.</summary>
internal static class ScoreAnnotations
{
    /// <summary>Annotations of a scored column.</summary>
    /// <param name="setId">Number of the columns that were scored together.</param>
    /// <param name="task">What was scored.</param>
    /// <param name="valueKind">What the column tells.</param>
    public static DataViewSchema.Annotations.Builder Of(uint setId, string task, string valueKind)
    {
        var annotations = new DataViewSchema.Annotations.Builder();
        annotations.Add(Annotation.ScoreColumnKind, TextDataViewType.Instance, Text(task));
        annotations.Add(Annotation.ScoreValueKind, TextDataViewType.Instance, Text(valueKind));
        annotations.Add(
            Annotation.ScoreColumnSetId, new KeyDataViewType(typeof(uint), int.MaxValue), (ref uint value) => value = setId);
        return annotations;

        static ValueGetter<ReadOnlyMemory<char>> Text(string text) =>
            (ref ReadOnlyMemory<char> value) => value = text.AsMemory();
    }

    /// <summary>The annotations that every scored column has, before there is data.</summary>
    public static SchemaShape.Column[] Promise() =>
    [
        ColumnShape.Scalar(Annotation.ScoreColumnKind, TextDataViewType.Instance),
        ColumnShape.Scalar(Annotation.ScoreValueKind, TextDataViewType.Instance),
        ColumnShape.Scalar(Annotation.ScoreColumnSetId, NumberDataViewType.UInt32, isKey: true),
    ];

    /// <summary>Adds names of slots.</summary>
    public static void AddSlotNames(DataViewSchema.Annotations.Builder annotations, IEnumerable<string> names) =>
        new LabelValues<ReadOnlyMemory<char>>(LabelValueType.Text, [.. names.Select(name => name.AsMemory())])
            .AddTo(annotations, Annotation.SlotNames);

    /// <summary>Columns that were scored together carry the same number; a new scoring takes the next.</summary>
    public static uint NextSetId(DataViewSchema schema)
    {
        var last = 0u;
        foreach (var column in schema)
        {
            if (column.Annotations.Schema.GetColumnOrNull(Annotation.ScoreColumnSetId)?.Type is not KeyDataViewType { RawType: var raw }
                || raw != typeof(uint))
                continue;
            var id = 0u;
            column.Annotations.GetValue(Annotation.ScoreColumnSetId, ref id);
            last = Math.Max(last, id);
        }

        return last + 1;
    }
}
