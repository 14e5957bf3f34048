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
        var (rows, right) = (new int[classes], new int[classes]);
        var gaps = new double[Bins];
        var loss = 0.0;
        for (var i = 0; i < labels.Length; i++)
        {
            var row = probabilities.Slice(i * classes, classes);
            var best = 0;
            for (var c = 1; c < classes; c++)
                if (row[c] > row[best])
                    best = c;
            var isRight = best == labels[i] ? 1 : 0;
            rows[labels[i]]++;
            right[labels[i]] += isRight;
            loss -= Math.Log(Math.Max(row[labels[i]], SmallestProbability));
            gaps[Math.Min(Bins - 1, (int)(row[best] * Bins))] += row[best] - isRight;
        }

        return new Quality(
            (double)right.Sum() / labels.Length,
            rows.Zip(right).Where(c => c.First > 0).Average(c => (double)c.Second / c.First),
            loss / labels.Length,
            gaps.Sum(Math.Abs) / labels.Length);
    }

    /// <summary>The values by name, for a log.</summary>
    public IReadOnlyDictionary<string, double> Values => new Dictionary<string, double>
    {
        ["accuracy"] = Accuracy, ["macroAccuracy"] = MacroAccuracy, ["logLoss"] = LogLoss, ["calibrationError"] = CalibrationError,
    };
}
