using System.Globalization;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>Result of <see cref="TextEvaluation.Classes"/>.</summary>
/// <param name="Accuracy">Share of the rows whose class was told right, from 0 to 100.</param>
/// <param name="MacroAccuracy">Mean over the classes of the share of their rows that were told right, from 0 to 100.</param>
/// <param name="Rows">Number of rows with a label.</param>
/// <param name="Unreadable">Those among them without a predicted class, which count as wrong.</param>
public sealed record WrittenClassMetrics(double Accuracy, double MacroAccuracy, int Rows, int Unreadable)
{
    /// <summary>The metrics, for people.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"Classes: accuracy {Accuracy:F2}, mean of the classes {MacroAccuracy:F2}, {Rows} rows, {Unreadable} unreadable");
}

/// <summary>The evaluation of classes that were written.</summary>
internal static class WrittenClassProtocol
{
    /// <summary>Runs it.</summary>
    /// <exception cref="InvalidOperationException">No row has a label.</exception>
    public static WrittenClassMetrics Run(IEnumerable<(string? Predicted, string? Label)> rows, string labelColumn)
    {
        var classes = new Dictionary<string, (int Rows, int Right)>();
        var unreadable = 0;
        foreach (var (predicted, label) in rows)
        {
            if (label is null)
                continue;
            unreadable += predicted is null ? 1 : 0;
            var (count, right) = classes.GetValueOrDefault(label);
            classes[label] = (count + 1, right + (predicted == label ? 1 : 0));
        }

        var labelled = classes.Values.Sum(of => of.Rows);
        return labelled > 0
            ? new WrittenClassMetrics(
                100.0 * classes.Values.Sum(of => of.Right) / labelled, classes.Values.Average(of => 100.0 * of.Right / of.Rows), labelled, unreadable)
            : throw new InvalidOperationException($"No row has a label in column '{labelColumn}'.");
    }
}
