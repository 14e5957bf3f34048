using Microsoft.ML.Data;
using Microsoft.ML.Moe.Rows;

namespace Microsoft.ML.Moe.Sweeps.Running;

/// <summary>What kind of thing is predicted: how good a scored table is, and how several are averaged.</summary>
/// <param name="options">Names of columns, and the metric.</param>
internal abstract class SweepTask(SweepOptions options)
{
    /// <summary>Names of columns.</summary>
    protected SweepOptions Options => options;

    /// <summary>By what trials are compared.</summary>
    public abstract SweepMetric Metric { get; }

    /// <summary>What an epoch tells of it.</summary>
    public virtual double? LossOf(Training.EpochReport epoch) => epoch.ValidationLoss;

    /// <summary>The metric of rows by the loss of each.</summary>
    public virtual double Join(IReadOnlyList<float> losses) => losses.Average(loss => (double)loss);

    /// <summary>Sets what a trainer of this library has to know to be measured so, once it has validation rows.</summary>
    public virtual void Prepare(MoeTrainerOptions trainer)
    {
    }

    /// <summary>The loss of each row with a label, and further metrics.</summary>
    /// <param name="model">A model of what is swept.</param>
    /// <param name="rows">Rows as it reads them.</param>
    /// <exception cref="ArgumentOutOfRangeException">A column is missing or of the wrong type; the message names it.</exception>
    /// <exception cref="InvalidOperationException">There are no rows with a label.</exception>
    public virtual (float[] Losses, Dictionary<string, double> Metrics) Measure(ITransformer model, IDataView rows)
    {
        var scored = model.Transform(rows);
        var (label, score) = (Find(scored, options.LabelColumnName, "label"), Find(scored, Scored, "score"));
        var losses = new List<float>();
        using var cursor = scored.GetRowCursor([label, score]);
        var (row, metrics) = Reader(cursor, label, score);
        while (cursor.MoveNext())
            if (row() is { } loss)
                losses.Add(loss);
        return losses.Count > 0
            ? ([.. losses], metrics(losses.Count))
            : throw NoLabels();
    }

    /// <summary>The error of rows without a label.</summary>
    private protected InvalidOperationException NoLabels() =>
        new($"No validation row has a label in column '{options.LabelColumnName}'.");

    /// <summary>How a mean of scores is written.</summary>
    public abstract AverageColumns Average(IReadOnlyList<string> scores);

    /// <summary>Throws where predictions of this shape cannot be averaged.</summary>
    /// <exception cref="ArgumentOutOfRangeException">They cannot; the message names the column.</exception>
    public virtual void CheckAverage(SchemaShape shape)
    {
    }

    /// <summary>The column that is measured, and averaged.</summary>
    public virtual string Scored => options.ScoreColumnName;

    /// <summary>Throws where a scored table lacks a column that is measured, as far as the pipeline tells it before it is fitted.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It does; the message names the column.</exception>
    public virtual void CheckColumns(SchemaShape shape)
    {
        foreach (var (name, what) in new[] { (options.LabelColumnName, "label"), (Scored, "score") })
            if (!shape.Any(column => column.Name == name))
                throw Missing(nameof(shape), name, what);
    }

    /// <summary>Gives what reads the loss of a row, null without a label, and the further metrics in the end.</summary>
    private protected abstract (Func<float?> Row, Func<int, Dictionary<string, double>> Metrics) Reader(
        DataViewRow row, DataViewSchema.Column label, DataViewSchema.Column score);

    private static DataViewSchema.Column Find(IDataView scored, string name, string what) =>
        scored.Schema.GetColumnOrNull(name) ?? throw Missing(nameof(scored), name, what);

    private static ArgumentOutOfRangeException Missing(string parameter, string name, string what) =>
        new(parameter, $"The scored validation rows have no {what} column '{name}': {nameof(SweepOptions)} says what it is called.");
}

/// <summary>One of several classes.</summary>
internal sealed class ClassesTask(SweepOptions options) : SweepTask(options)
{
    private const double Least = 1e-15;

    public override SweepMetric Metric => SweepMetric.LogLoss;

    public override AverageColumns Average(IReadOnlyList<string> scores) =>
        new(AverageKind.Classes, scores, Options.ScoreColumnName, Options.PredictedLabelColumnName, null);

    public override void CheckAverage(SchemaShape shape)
    {
        var predicted = shape.FirstOrDefault(column => column.Name == Options.PredictedLabelColumnName);
        if (predicted is { Name: not null, IsKey: false })
            throw new ArgumentOutOfRangeException(
                nameof(shape),
                $"{nameof(SweepOptions.EnsembleSize)} = {Options.EnsembleSize} needs keys in column '{predicted.Name}': put MapKeyToValue after what "
                + "is swept.");
    }

    /// <summary>The negative logarithm of a probability, that of impossible things bounded.</summary>
    public static float LossOf(double probability) => (float)-Math.Log(Math.Max(Least, probability));

    private protected override (Func<float?> Row, Func<int, Dictionary<string, double>> Metrics) Reader(
        DataViewRow row, DataViewSchema.Column label, DataViewSchema.Column score)
    {
        if (label.Type is not KeyDataViewType)
            throw new ArgumentOutOfRangeException(
                nameof(label), $"The label column '{label.Name}' is of type {label.Type}; use MapValueToKey before or within what is swept.");
        if (score.Type is not VectorDataViewType { ItemType: NumberDataViewType { RawType: var raw }, Size: > 0 and var classes } || raw != typeof(float))
            throw new ArgumentOutOfRangeException(nameof(score), $"The score column '{score.Name}' is of type {score.Type}, no vector of probabilities.");
        var (key, getter, right) = (LabelReader.OfKeys(row, label), row.GetGetter<VBuffer<float>>(score), 0);
        var scores = default(VBuffer<float>);
        return (
            () =>
            {
                var truth = key();
                if (truth < 0 || truth >= classes)
                    return null;
                getter(ref scores);
                var values = scores.DenseValues().ToArray();
                right += Array.IndexOf(values, values.Max()) == truth ? 1 : 0;
                return LossOf(values[truth]);
            },
            count => new() { ["Accuracy"] = (double)right / count });
    }
}

/// <summary>Yes or no.</summary>
internal sealed class BinaryTask(SweepOptions options) : SweepTask(options)
{
    public override SweepMetric Metric => SweepMetric.LogLoss;

    public override string Scored => Options.ProbabilityColumnName;

    public override AverageColumns Average(IReadOnlyList<string> scores) =>
        new(AverageKind.Binary, scores, Options.ScoreColumnName, Options.PredictedLabelColumnName, Options.ProbabilityColumnName);

    private protected override (Func<float?> Row, Func<int, Dictionary<string, double>> Metrics) Reader(
        DataViewRow row, DataViewSchema.Column label, DataViewSchema.Column score)
    {
        if (label.Type is not BooleanDataViewType)
            throw new ArgumentOutOfRangeException(nameof(label), $"The label column '{label.Name}' is of type {label.Type}, not Boolean.");
        if (score.Type != NumberDataViewType.Single)
            throw new ArgumentOutOfRangeException(nameof(score), $"The probability column '{score.Name}' is of type {score.Type}, not Single.");
        var (truth, probability, right) = (row.GetGetter<bool>(label), row.GetGetter<float>(score), 0);
        var (isTrue, share) = (false, 0f);
        return (
            () =>
            {
                truth(ref isTrue);
                probability(ref share);
                right += share > 0.5f == isTrue ? 1 : 0;
                return ClassesTask.LossOf(isTrue ? share : 1.0 - share);
            },
            count => new() { ["Accuracy"] = (double)right / count });
    }
}

/// <summary>A number.</summary>
internal sealed class NumberTask(SweepOptions options) : SweepTask(options)
{
    public override SweepMetric Metric =>
        Options.Metric is SweepMetric.MeanAbsoluteError ? SweepMetric.MeanAbsoluteError : SweepMetric.RootMeanSquaredError;

    private bool IsAbsolute => Metric is SweepMetric.MeanAbsoluteError;

    public override AverageColumns Average(IReadOnlyList<string> scores) => new(AverageKind.Value, scores, Options.ScoreColumnName, null, null);

    public override double? LossOf(Training.EpochReport epoch) => IsAbsolute ? epoch.ValidationAccuracy : epoch.ValidationLoss;

    public override double Join(IReadOnlyList<float> losses) => IsAbsolute ? base.Join(losses) : Math.Sqrt(base.Join(losses));

    private protected override (Func<float?> Row, Func<int, Dictionary<string, double>> Metrics) Reader(
        DataViewRow row, DataViewSchema.Column label, DataViewSchema.Column score)
    {
        foreach (var column in new[] { label, score })
            if (column.Type != NumberDataViewType.Single)
                throw new ArgumentOutOfRangeException(nameof(label), $"Column '{column.Name}' is of type {column.Type}, not Single.");
        var (truth, number) = (row.GetGetter<float>(label), row.GetGetter<float>(score));
        var (expected, given, absolute, squared) = (0f, 0f, 0.0, 0.0);
        return (
            () =>
            {
                truth(ref expected);
                number(ref given);
                if (!float.IsFinite(expected))
                    return null;
                var error = Math.Abs((double)given - expected);
                (absolute, squared) = (absolute + error, squared + error * error);
                return (float)(IsAbsolute ? error : error * error);
            },
            count => new() { ["MeanAbsoluteError"] = absolute / count, ["RootMeanSquaredError"] = Math.Sqrt(squared / count) });
    }
}
