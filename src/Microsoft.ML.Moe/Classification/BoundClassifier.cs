using Microsoft.ML.Data;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Scoring;

namespace Microsoft.ML.Moe.Classification;

/// <summary>A classifier bound to a table's columns: adds the predicted label and the score, and what else was asked for.</summary>
internal sealed class BoundClassifier : BoundModel
{
    private static readonly string[] EntropySlots = ["Mean", "Max"];

    private readonly ResultsFactory _createResults;

    /// <summary>Adds the predicted label, the score and, where asked for, the routers' uncertainty to a schema.</summary>
    /// <param name="input">The schema before scoring.</param>
    /// <param name="scored">The columns that the classifier reads.</param>
    /// <param name="names">Names of the columns.</param>
    /// <param name="classCount">Number of classes.</param>
    /// <param name="labels">Values behind the label's keys, if any.</param>
    /// <param name="experts">Experts in a MoE layer, N.</param>
    /// <param name="createResults">Makes room for results.</param>
    public BoundClassifier(
        DataViewSchema input,
        DataViewSchema.Column[] scored,
        ClassificationColumns names,
        int classCount,
        LabelValues? labels,
        int experts,
        ResultsFactory createResults)
        : base(input, scored)
    {
        _createResults = createResults;
        var setId = NextScoreColumnSetId(input);
        var builder = new DataViewSchema.Builder();
        builder.AddColumns(input.Select(c => new DataViewSchema.DetachedColumn(c)));

        var predicted = ScoreAnnotations(setId, Annotation.PredictedLabel);
        labels?.AddTo(predicted, Annotation.KeyValues);
        builder.AddColumn(names.PredictedLabel, new KeyDataViewType(typeof(uint), classCount), predicted.ToAnnotations());

        var score = ScoreAnnotations(setId, Annotation.Score);
        labels?.AddTo(score, Annotation.TrainingLabelValues);
        if (labels is not null)
            AddSlotNames(score, labels.Texts);
        builder.AddColumn(names.Score, new VectorDataViewType(NumberDataViewType.Single, classCount), score.ToAnnotations());

        var next = Score + 1;
        if (names.Uncertainty?.Entropy is { } entropyName)
        {
            Entropy = next++;
            var entropy = new DataViewSchema.Annotations.Builder();
            AddSlotNames(entropy, EntropySlots);
            builder.AddColumn(
                entropyName, new VectorDataViewType(NumberDataViewType.Single, EntropySlots.Length), entropy.ToAnnotations());
        }

        if (names.Uncertainty?.Uncertain is { } uncertainName)
        {
            Uncertain = next;
            UncertainFrom = names.Uncertainty.Threshold * Math.Log(experts);
            builder.AddColumn(uncertainName, BooleanDataViewType.Instance);
        }

        Output = builder.ToSchema();
    }

    /// <summary>Takes a hold on a classifier and makes room for its results.</summary>
    /// <param name="model">The added columns.</param>
    /// <param name="row">The row to score, or a cursor over rows.</param>
    /// <param name="rows">Most rows that are scored at once.</param>
    /// <param name="withEntropies">Whether the routers' entropy is measured.</param>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    internal delegate RowResults ResultsFactory(BoundClassifier model, DataViewRow row, int rows, bool withEntropies);

    /// <inheritdoc/>
    public override DataViewSchema Output { get; }

    /// <summary>Index of the predicted label after scoring.</summary>
    public int PredictedLabel => Input.Count;

    /// <summary>Index of the score after scoring.</summary>
    public int Score => Input.Count + 1;

    /// <summary>Index of the router entropy after scoring; null when there is no such column.</summary>
    public int? Entropy { get; }

    /// <summary>Index of the uncertain flag after scoring; null when there is no such column.</summary>
    public int? Uncertain { get; }

    /// <summary>From which mean router entropy a row is uncertain, in nats.</summary>
    public double UncertainFrom { get; }

    /// <inheritdoc/>
    public override RowResults CreateResults(DataViewRow row, bool[] active, int rows) =>
        _createResults(this, row, rows, NeedsEntropy(active));

    /// <summary>What an estimator promises, before there is data, about a scored table.</summary>
    /// <param name="inputSchema">Shape of the table.</param>
    /// <param name="names">Names of the columns that are added.</param>
    /// <param name="options">Names of the columns that are needed besides those scored.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of the wrong type; the message names it.</exception>
    public static SchemaShape Promise(SchemaShape inputSchema, ClassificationColumns names, IClassificationOptions options)
    {
        if (options.WeightColumnName is not null)
            InputColumns.CheckWeight(inputSchema, options.WeightColumnName);
        var added = Promise(names, InputColumns.CheckLabel(inputSchema, options.LabelColumnName));
        return new SchemaShape(inputSchema.Where(c => added.TrueForAll(a => a.Name != c.Name)).Concat(added));
    }

    private static List<SchemaShape.Column> Promise(ClassificationColumns names, SchemaShape.Column label)
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

        var added = new List<SchemaShape.Column>
        {
            ColumnShape.Scalar(names.PredictedLabel, NumberDataViewType.UInt32, isKey: true, predicted),
            ColumnShape.Vector(names.Score, NumberDataViewType.Single, score),
        };
        if (names.Uncertainty?.Entropy is { } entropy)
            added.Add(ColumnShape.Vector(
                entropy, NumberDataViewType.Single, [ColumnShape.Vector(Annotation.SlotNames, TextDataViewType.Instance)]));
        if (names.Uncertainty?.Uncertain is { } uncertain)
            added.Add(ColumnShape.Scalar(uncertain, BooleanDataViewType.Instance));
        return added;
    }

    /// <summary>Whether the routers' entropy has to be measured for the wanted columns.</summary>
    private bool NeedsEntropy(bool[] active) => active.AsSpan(Score + 1).Contains(true);

    private static void AddSlotNames(DataViewSchema.Annotations.Builder annotations, IEnumerable<string> names) =>
        new LabelValues<ReadOnlyMemory<char>>(LabelValueType.Text, [.. names.Select(name => name.AsMemory())])
            .AddTo(annotations, Annotation.SlotNames);

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
