using Microsoft.ML.Data;
using Microsoft.ML.Moe.Evaluation;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Trainers;

namespace Microsoft.ML.Moe.Sweeps.Running;

/// <summary>
/// A text that is written: how well the model tells the texts that it should write, or how much what it writes is like them. Trials stop at
/// rungs by the former always, as after the first epochs most answers are wrong.
/// </summary>
internal sealed class TextTask(SweepOptions options) : SweepTask(options)
{
    private static readonly IReadOnlyList<TextMetric> OfAnswers =
        [TextMetric.ExactMatch, TextMetric.F1, TextMetric.RougeL, TextMetric.RougeLsum];

    public override SweepMetric Metric => MetricOf(Options.Metric) is null ? SweepMetric.LogLoss : Options.Metric;

    public override string Scored => Options.PredictionColumnName;

    /// <summary>The metric of written texts; null where it is none of those.</summary>
    public static TextMetric? MetricOf(SweepMetric metric) => metric switch
    {
        SweepMetric.ExactMatch => TextMetric.ExactMatch,
        SweepMetric.F1 => TextMetric.F1,
        SweepMetric.RougeL => TextMetric.RougeL,
        SweepMetric.RougeLsum => TextMetric.RougeLsum,
        _ => null,
    };

    /// <summary>The best epoch is that by the metric that trials are compared by.</summary>
    public override void Prepare(MoeTrainerOptions trainer)
    {
        if (trainer is MoeTextGeneratorOptions { Metric: TextMetric.Loss } writing && MetricOf(Metric) is { } metric)
            writing.Metric = metric;
    }

    public override (float[] Losses, Dictionary<string, double> Metrics) Measure(ITransformer model, IDataView rows)
    {
        if (MetricOf(Metric) is not null)
            return base.Measure(model, rows);
        TextScore[] scores = [.. Told(model, ref rows)?.OfType<TextScore>() ?? throw new InvalidOperationException(
            $"What is swept gives no {nameof(MoeTextGenerationTransformer)}, whose {SweepMetric.LogLoss} could be measured.")];
        if (scores.Length == 0)
            throw NoLabels();
        // so that the mean over rows is that over tokens, as the trainer has it
        var tokensOfRow = (double)scores.Sum(score => score.Tokens) / scores.Length;
        float[] losses = [.. scores.Select(score => (float)(-score.LogProbability / tokensOfRow))];
        return (losses, new() { ["Perplexity"] = Math.Exp(Join(losses)) });
    }

    public override void CheckColumns(SchemaShape shape)
    {
        base.CheckColumns(shape);
        foreach (var column in shape.Where(column => column.Name == Options.LabelColumnName || column.Name == Scored))
            if (column.ItemType is not TextDataViewType)
                throw new ArgumentOutOfRangeException(nameof(shape), $"Column '{column.Name}' is of type {column.ItemType}, not text.");
    }

    public override AverageColumns Average(IReadOnlyList<string> scores) => throw NoAverage();

    public override void CheckAverage(SchemaShape shape) => throw NoAverage();

    private protected override (Func<float?> Row, Func<int, Dictionary<string, double>> Metrics) Reader(
        DataViewRow row, DataViewSchema.Column label, DataViewSchema.Column score)
    {
        var (wanted, written, rouge) = (RowTexts.ReaderOfAll(row, label), RowTexts.ReaderOfAll(row, score), new Rouge());
        var sums = OfAnswers.ToDictionary(metric => metric, _ => 0.0);
        var chosen = MetricOf(Metric)!.Value;
        return (
            () =>
            {
                if (wanted() is not [var first, ..] targets || string.IsNullOrWhiteSpace(first))
                    return null;
                var answer = written()[0];
                var scores = OfAnswers.ToDictionary(
                    metric => metric, metric => 100 * WrittenTextMetric.Score(metric, rouge, answer, targets));
                foreach (var (metric, value) in scores)
                    sums[metric] += value;
                return (float)(100 - scores[chosen]);
            },
            count => sums.ToDictionary(sum => sum.Key.ToString(), sum => sum.Value / count));
    }

    /// <summary>How well the model that writes tells what each row wants it to; null where there is none.</summary>
    /// <param name="model">The model, or a pipeline that it is in.</param>
    /// <param name="rows">What the pipeline reads; then what comes behind it.</param>
    private IReadOnlyList<TextScore?>? Told(ITransformer model, ref IDataView rows)
    {
        if (model is MoeTextGenerationTransformer writer)
            return writer.EvaluateRows(rows, Options.LabelColumnName);
        if (model is IEnumerable<ITransformer> steps)
        {
            foreach (var step in steps)
                if (Told(step, ref rows) is { } scores)
                    return scores;
            return null;
        }

        rows = model.Transform(rows);
        return null;
    }

    private static ArgumentOutOfRangeException NoAverage() =>
        new(nameof(SweepOptions.EnsembleSize), $"Texts cannot be averaged: leave {nameof(SweepOptions.EnsembleSize)} at 1.");
}
