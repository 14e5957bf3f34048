using Microsoft.ML.Data;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.MlNet;
using Microsoft.ML.Moe.Rows;

namespace Microsoft.ML.Moe.Scoring;

/// <summary>The predicted label and the score of each class, and, where asked for, how unsure the routers are.</summary>
/// <param name="names">Names of the columns.</param>
/// <param name="classCount">Number of classes.</param>
/// <param name="labels">Values behind the label's keys, if any.</param>
/// <param name="experts">Experts in a MoE layer, N.</param>
internal sealed class ClassesOutput(ClassificationColumns names, int classCount, LabelValues? labels, int experts) : OutputColumns
{
    private const int PredictedLabel = 0;
    private const int Score = 1;
    private static readonly string[] EntropySlots = ["Mean", "Max"];

    /// <summary>From which mean router entropy a row is uncertain, in nats.</summary>
    private readonly double _uncertainFrom = (names.Uncertainty?.Threshold ?? 0) * Math.Log(experts);

    /// <summary>Number of the router entropy among the added columns; after all of them when there is no such column.</summary>
    private int Entropy => names.Uncertainty?.Entropy is null ? int.MaxValue : Score + 1;

    /// <inheritdoc/>
    public override void AddTo(DataViewSchema.Builder builder, DataViewSchema input)
    {
        var setId = ScoreAnnotations.NextSetId(input);
        var predicted = ScoreAnnotations.Of(setId, Annotation.MulticlassClassification, Annotation.PredictedLabel);
        labels?.AddTo(predicted, Annotation.KeyValues);
        builder.AddColumn(names.PredictedLabel, new KeyDataViewType(typeof(uint), classCount), predicted.ToAnnotations());

        var score = ScoreAnnotations.Of(setId, Annotation.MulticlassClassification, Annotation.Score);
        labels?.AddTo(score, Annotation.TrainingLabelValues);
        if (labels is not null)
            ScoreAnnotations.AddSlotNames(score, labels.Texts);
        builder.AddColumn(names.Score, new VectorDataViewType(NumberDataViewType.Single, classCount), score.ToAnnotations());

        if (names.Uncertainty?.Entropy is { } entropyName)
        {
            var entropy = new DataViewSchema.Annotations.Builder();
            ScoreAnnotations.AddSlotNames(entropy, EntropySlots);
            builder.AddColumn(
                entropyName, new VectorDataViewType(NumberDataViewType.Single, EntropySlots.Length), entropy.ToAnnotations());
        }

        if (names.Uncertainty?.Uncertain is { } uncertainName)
            builder.AddColumn(uncertainName, BooleanDataViewType.Instance);
    }

    /// <inheritdoc/>
    public override bool NeedsEntropy(ReadOnlySpan<bool> active) => active[(Score + 1)..].Contains(true);

    /// <inheritdoc/>
    public override Delegate CreateGetter(int column, RowResults results, Func<int> current)
    {
        if (column == PredictedLabel)
            return (ValueGetter<uint>)((ref uint value) => value = MostProbable(results.OutputsOf(current())));
        if (column == Score)
            return (ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) => Getters.CopyTo(results.OutputsOf(current()), ref value));
        if (column == Entropy)
            return (ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) =>
            {
                var (mean, max) = results.EntropyOf(current());
                Getters.CopyTo([mean, max], ref value);
            });
        return (ValueGetter<bool>)((ref bool value) => value = results.EntropyOf(current()).Mean >= _uncertainFrom);
    }

    /// <summary>What an estimator promises, before there is data, about a scored table.</summary>
    /// <param name="inputSchema">Shape of the table.</param>
    /// <param name="names">Names of the columns that are added.</param>
    /// <param name="label">Name of the label column.</param>
    /// <param name="weight">Name of the column of weights, if any.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of the wrong type; the message names it.</exception>
    public static SchemaShape Promise(NamedShape inputSchema, ClassificationColumns names, string label, string? weight)
    {
        if (weight is not null)
            InputColumns.CheckWeight(inputSchema, weight);
        var added = Promise(names, InputColumns.CheckLabel(inputSchema, label));
        return new SchemaShape(inputSchema.Schema.Where(c => added.TrueForAll(a => a.Name != c.Name)).Concat(added));
    }

    private static List<SchemaShape.Column> Promise(ClassificationColumns names, SchemaShape.Column label)
    {
        var common = ScoreAnnotations.Promise();
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

    /// <summary>The key of the most probable class, 0 (missing) when there is none.</summary>
    private static uint MostProbable(ReadOnlySpan<float> probabilities) => (uint)(ClassifierHead.MostProbable(probabilities) + 1);
}
