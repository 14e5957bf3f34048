using System.Globalization;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>Tasks of GLUE (Wang et al. 2019, "GLUE: A Multi-Task Benchmark and Analysis Platform for Natural Language Understanding").</summary>
public enum GlueTask
{
    /// <summary>Is the sentence good English? Labels 0 and 1; Matthews' correlation.</summary>
    Cola,

    /// <summary>Is the review positive? Labels 0 and 1; accuracy.</summary>
    Sst2,

    /// <summary>Do both sentences say the same? Labels 0 and 1; accuracy and F1.</summary>
    Mrpc,

    /// <summary>How alike are the sentences? Scores from 0 to 5; Pearson's and Spearman's correlation.</summary>
    Stsb,

    /// <summary>Do both questions ask the same? Labels 0 and 1; accuracy and F1.</summary>
    Qqp,

    /// <summary>Does one sentence follow from the other? Labels 0, 1 and 2; accuracy. For the matched and for the mismatched part.</summary>
    Mnli,

    /// <summary>Is the answer in the sentence? Labels 0 and 1; accuracy.</summary>
    Qnli,

    /// <summary>Does one sentence follow from the other? Labels 0 and 1; accuracy.</summary>
    Rte,

    /// <summary>Does the sentence with the pronoun resolved follow? Labels 0 and 1; accuracy.</summary>
    Wnli,
}

/// <summary>Result of <see cref="TextEvaluation.Glue"/>: the task's own scores, times 100; others are null.</summary>
/// <param name="Task">The task.</param>
/// <param name="Accuracy">Share of predictions that are the label: all tasks but <see cref="GlueTask.Cola"/> and <see cref="GlueTask.Stsb"/>.</param>
/// <param name="F1">F1 of label 1: <see cref="GlueTask.Mrpc"/> and <see cref="GlueTask.Qqp"/>.</param>
/// <param name="Matthews">Matthews' correlation: <see cref="GlueTask.Cola"/>.</param>
/// <param name="Pearson">Pearson's correlation: <see cref="GlueTask.Stsb"/>; 0 where one side is constant.</param>
/// <param name="Spearman">Spearman's rank correlation: <see cref="GlueTask.Stsb"/>; 0 where one side is constant.</param>
/// <param name="Unreadable">Predictions that are none of the task's labels, or no number.</param>
/// <param name="Rows">Number of rows.</param>
public sealed record GlueMetrics(
    GlueTask Task, double? Accuracy, double? F1, double? Matthews, double? Pearson, double? Spearman, int Unreadable, int Rows)
{
    /// <summary>What GLUE's average takes of the task: its score, or the mean of its two.</summary>
    public double Score => new[] { Accuracy, F1, Matthews, Pearson, Spearman }.Average()!.Value;

    /// <summary>The task's scores, for people.</summary>
    public override string ToString()
    {
        var scores = new (string Name, double? Value)[]
        {
            ("accuracy", Accuracy), ("F1", F1), ("Matthews", Matthews), ("Pearson", Pearson), ("Spearman", Spearman),
        };
        var listed = string.Join(
            ", ", scores.Where(s => s.Value is not null).Select(s => string.Create(CultureInfo.InvariantCulture, $"{s.Name} {s.Value:F2}")));
        return string.Create(
            CultureInfo.InvariantCulture,
            $"GLUE {GlueProtocol.NameOf(Task)}: {listed}, {Rows} rows, {Unreadable} of them with a prediction that is no label");
    }
}

/// <summary>
/// GLUE's scores of labels that a text-to-text model wrote (Raffel et al. 2020, section 2.3): what is no label is wrong, and for F1 the other
/// label.
/// </summary>
internal static class GlueProtocol
{
    /// <summary>The task's name in the data set.</summary>
    public static string NameOf(GlueTask task) => task.ToString().ToLowerInvariant();

    /// <summary>Runs it.</summary>
    /// <param name="rows">Predictions and labels as text.</param>
    /// <param name="task">The task.</param>
    /// <param name="labelColumn">What messages call the column of labels.</param>
    /// <exception cref="InvalidOperationException">A label is none of the task's.</exception>
    public static GlueMetrics Run(IReadOnlyList<(string Prediction, string Label)> rows, GlueTask task, string labelColumn) =>
        task == GlueTask.Stsb ? Correlate(rows, labelColumn) : Classify(rows, task, labelColumn);

    private static GlueMetrics Classify(IReadOnlyList<(string Prediction, string Label)> rows, GlueTask task, string labelColumn)
    {
        string[] names = task == GlueTask.Mnli ? ["0", "1", "2"] : ["0", "1"];
        var classes = names.Index().ToDictionary(n => n.Item, n => n.Index);
        var labels = rows.Select((r, i) => classes.TryGetValue(Read(r.Label), out var label) ? label : throw NoLabel(i, r.Label)).ToArray();
        // Each text that is no label is a class of its own, which no row is of: Matthews' correlation depends on how many there are.
        var predictions = new int[labels.Length];
        for (var i = 0; i < predictions.Length; i++)
        {
            var text = Read(rows[i].Prediction);
            if (!classes.TryGetValue(text, out predictions[i]))
                classes.Add(text, predictions[i] = classes.Count);
        }

        var unreadable = predictions.Count(p => p >= names.Length);
        return new GlueMetrics(
            task,
            task == GlueTask.Cola ? null : 100.0 * Right(labels, predictions) / rows.Count,
            task is GlueTask.Mrpc or GlueTask.Qqp ? 100 * F1(labels, predictions) : null,
            task == GlueTask.Cola ? 100 * Matthews(labels, predictions, classes.Count) : null,
            null,
            null,
            unreadable,
            rows.Count);

        InvalidOperationException NoLabel(int row, string label) => new(
            $"Row {row + 1} has the label '{label}' in column '{labelColumn}'; labels of {NameOf(task)} must be {string.Join(", ", names)}.");
    }

    private static double F1(int[] labels, int[] predictions) =>
        new ConfusionCounts(labels, [.. predictions.Zip(labels, (p, label) => p <= 1 ? p : 1 - label)], 2).F1(1);

    private static double Matthews(int[] labels, int[] predictions, int classes)
    {
        var (actual, predicted) = (new int[classes], new int[classes]);
        foreach (var (label, prediction) in labels.Zip(predictions))
        {
            actual[label]++;
            predicted[prediction]++;
        }

        return ConfusionCounts.MatthewsOf(labels.Length, Right(labels, predictions), actual, predicted);
    }

    private static int Right(int[] labels, int[] predictions) => labels.Zip(predictions).Count(p => p.First == p.Second);

    private static GlueMetrics Correlate(IReadOnlyList<(string Prediction, string Label)> rows, string labelColumn)
    {
        var (labels, predictions) = (new double[rows.Count], new double[rows.Count]);
        var unreadable = 0;
        for (var i = 0; i < rows.Count; i++)
        {
            labels[i] = PythonText.ParseFloat(rows[i].Label) is { } label && double.IsFinite(label)
                ? label
                : throw new InvalidOperationException(
                    $"Row {i + 1} has the label '{rows[i].Label}' in column '{labelColumn}'; labels of stsb must be numbers.");
            var isNumber = PythonText.ParseFloat(rows[i].Prediction) is { } number && double.IsFinite(number);
            predictions[i] = isNumber ? SimilarityText.Read(rows[i].Prediction) : SimilarityText.NotANumber;
            unreadable += isNumber ? 0 : 1;
        }

        return new GlueMetrics(
            GlueTask.Stsb,
            null,
            null,
            null,
            100 * ZeroForNaN(Correlation.Pearson(predictions, labels)),
            100 * ZeroForNaN(Correlation.Spearman(predictions, labels)),
            unreadable,
            rows.Count);

        static double ZeroForNaN(double value) => double.IsNaN(value) ? 0 : value;
    }

    private static string Read(string text) => PythonText.Strip(text).ToString();
}
