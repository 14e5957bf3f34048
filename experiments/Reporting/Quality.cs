using Microsoft.ML.Moe.Evaluation;

namespace Microsoft.ML.Moe.Experiments.Reporting;

/// <summary>How good class probabilities are.</summary>
/// <param name="Accuracy">Share of rows whose most probable class is theirs.</param>
/// <param name="MacroAccuracy">The same of each class, averaged over the classes that occur.</param>
/// <param name="LogLoss">Mean −ln of the probability of a row's class.</param>
/// <param name="CalibrationError">
/// Expected calibration error (Guo et al. 2017): rows by the probability of their most probable class in 15 even bins, the mean
/// distance between that probability and the share of rows that it is right about.
/// </param>
internal sealed record Quality(double Accuracy, double MacroAccuracy, double LogLoss, double CalibrationError)
{
    private const int Bins = 15;
    private const double SmallestProbability = 1e-15;

    /// <summary>Measures probabilities.</summary>
    /// <param name="probabilities">Rows × classes.</param>
    /// <param name="labels">Class of each row.</param>
    public static Quality Of(ReadOnlySpan<float> probabilities, ReadOnlySpan<int> labels)
    {
        var classes = probabilities.Length / labels.Length;
        var widened = new double[probabilities.Length];
        for (var i = 0; i < widened.Length; i++)
            widened[i] = probabilities[i];
        var (predictions, loss) = (new int[labels.Length], 0.0);
        for (var i = 0; i < labels.Length; i++)
        {
            var row = widened.AsSpan(i * classes, classes);
            predictions[i] = Scores.IndexOfLargest(row);
            loss -= Math.Log(Math.Max(row[labels[i]], SmallestProbability));
        }

        var counts = new ConfusionCounts(labels, predictions, classes);
        return new Quality(
            counts.Accuracy, counts.BalancedAccuracy, loss / labels.Length, Calibration.Of(widened, labels, Bins).ExpectedError);
    }

    /// <summary>The values by name, for a log.</summary>
    public IReadOnlyDictionary<string, double> Values => new Dictionary<string, double>
    {
        ["accuracy"] = Accuracy, ["macroAccuracy"] = MacroAccuracy, ["logLoss"] = LogLoss, ["calibrationError"] = CalibrationError,
    };
}
