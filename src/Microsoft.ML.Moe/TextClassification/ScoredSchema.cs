using Microsoft.ML.Data;
using Microsoft.ML.Moe.MlNet;

namespace Microsoft.ML.Moe.TextClassification;

/// <summary>A table's schema before and after scoring: all columns stay where they are, two are added at the end.</summary>
internal sealed class ScoredSchema
{
    /// <summary>Adds the predicted label and the score to a schema.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A text column is missing or not text.</exception>
    public ScoredSchema(DataViewSchema input, TextClassificationColumns names, int classCount, LabelValues? labels)
    {
        Input = input;
        Texts = InputColumns.Texts(input, names);
        var setId = NextScoreColumnSetId(input);
        var builder = new DataViewSchema.Builder();
        builder.AddColumns(input.Select(c => new DataViewSchema.DetachedColumn(c)));

        var predicted = ScoreAnnotations(setId, Annotation.PredictedLabel);
        labels?.AddTo(predicted, Annotation.KeyValues);
        builder.AddColumn(names.PredictedLabel, new KeyDataViewType(typeof(uint), classCount), predicted.ToAnnotations());

        var score = ScoreAnnotations(setId, Annotation.Score);
        labels?.AddTo(score, Annotation.TrainingLabelValues);
        if (labels is not null)
            new LabelValues<ReadOnlyMemory<char>>(LabelValueType.Text, [.. labels.Texts.Select(t => t.AsMemory())])
                .AddTo(score, Annotation.SlotNames);
        builder.AddColumn(names.Score, new VectorDataViewType(NumberDataViewType.Single, classCount), score.ToAnnotations());
        Output = builder.ToSchema();
    }

    /// <summary>The schema before scoring.</summary>
    public DataViewSchema Input { get; }

    /// <summary>The schema after scoring.</summary>
    public DataViewSchema Output { get; }

    /// <summary>The text columns, one or two.</summary>
    public DataViewSchema.Column[] Texts { get; }

    /// <summary>Index of the predicted label after scoring.</summary>
    public int PredictedLabel => Input.Count;

    /// <summary>Index of the score after scoring.</summary>
    public int Score => Input.Count + 1;

    /// <summary>Marks the columns of <see cref="Output"/> that a consumer wants.</summary>
    public bool[] Flags(IEnumerable<DataViewSchema.Column> columns)
    {
        ArgumentNullException.ThrowIfNull(columns);
        var active = new bool[Output.Count];
        foreach (var column in columns)
            active[column.Index] = true;
        return active;
    }

    /// <summary>Whether rows have to be scored for the wanted columns.</summary>
    public bool NeedsScoring(bool[] active) => active[PredictedLabel] || active[Score];

    /// <summary>The columns of <see cref="Input"/> that the wanted columns are made from.</summary>
    public IEnumerable<DataViewSchema.Column> Dependencies(bool[] active) =>
        Input.Where(c => active[c.Index] || (NeedsScoring(active) && Texts.Any(t => t.Index == c.Index)));

    /// <summary>What an estimator promises, before there is data, about the columns that it adds.</summary>
    /// <param name="names">Names of the columns.</param>
    /// <param name="label">The label column.</param>
    public static IEnumerable<SchemaShape.Column> Promise(TextClassificationColumns names, SchemaShape.Column label)
    {
        SchemaShape.Column[] common =
        [
            ColumnShape.Scalar(Annotation.ScoreColumnKind, TextDataViewType.Instance),
            ColumnShape.Scalar(Annotation.ScoreValueKind, TextDataViewType.Instance),
            ColumnShape.Scalar(Annotation.ScoreColumnSetId, NumberDataViewType.UInt32, isKey: true),
        ];
        SchemaShape.Column[] predicted = common, score = common;
        foreach (var annotation in label.Annotations)
            if (annotation is { Name: Annotation.KeyValues, Kind: SchemaShape.Column.VectorKind.Vector })
            {
                predicted = [.. common, ColumnShape.Vector(Annotation.KeyValues, annotation.ItemType)];
                score =
                [
                    .. common,
                    ColumnShape.Vector(Annotation.TrainingLabelValues, annotation.ItemType),
                    ColumnShape.Vector(Annotation.SlotNames, TextDataViewType.Instance),
                ];
            }

        return
        [
            ColumnShape.Scalar(names.PredictedLabel, NumberDataViewType.UInt32, isKey: true, predicted),
            ColumnShape.Vector(names.Score, NumberDataViewType.Single, score),
        ];
    }

    private static DataViewSchema.Annotations.Builder ScoreAnnotations(uint setId, string valueKind)
    {
        var annotations = new DataViewSchema.Annotations.Builder();
        annotations.Add(Annotation.ScoreColumnKind, TextDataViewType.Instance, Text(Annotation.MulticlassClassification));
        annotations.Add(Annotation.ScoreValueKind, TextDataViewType.Instance, Text(valueKind));
        annotations.Add(
            Annotation.ScoreColumnSetId, new KeyDataViewType(typeof(uint), int.MaxValue), (ref uint value) => value = setId);
        return annotations;

        static ValueGetter<ReadOnlyMemory<char>> Text(string text) =>
            (ref ReadOnlyMemory<char> value) => value = text.AsMemory();
    }

    /// <summary>Columns that were scored together carry the same number; a new scoring takes the next.</summary>
    private static uint NextScoreColumnSetId(DataViewSchema schema)
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
