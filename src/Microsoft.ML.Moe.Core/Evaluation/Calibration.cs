namespace Microsoft.ML.Moe.Evaluation;

/// <summary>The rows whose confidence lies in a bin.</summary>
/// <param name="Count">Number of rows.</param>
/// <param name="Confidence">Mean probability of their most probable class; NaN without rows.</param>
/// <param name="Accuracy">Share of them whose most probable class is theirs; NaN without rows.</param>
internal sealed record CalibrationBin(int Count, double Confidence, double Accuracy);

/// <summary>
/// How far the probability of the most probable class is from how often it is right (Guo et al. 2017, "On Calibration of Modern Neural
/// Networks", section 2): bins of equal width, each without its lower and with its upper edge.
/// </summary>
internal sealed class Calibration
{
    private Calibration(IReadOnlyList<CalibrationBin> bins) => Bins = bins;

    /// <summary>The bins.</summary>
    public IReadOnlyList<CalibrationBin> Bins { get; }

    /// <summary>Expected calibration error: mean distance between confidence and accuracy of the bins, weighted by their rows.</summary>
    public double ExpectedError => Occupied.Sum(b => b.Count * Distance(b)) / Occupied.Sum(b => b.Count);

    /// <summary>The largest distance between confidence and accuracy of a bin.</summary>
    public double MaximumError => Occupied.Max(Distance);

    private IEnumerable<CalibrationBin> Occupied => Bins.Where(b => b.Count > 0);

    /// <summary>Measures probabilities.</summary>
    /// <param name="probabilities">Rows × classes.</param>
    /// <param name="labels">Class of each row; at least one row.</param>
    /// <param name="bins">Number of bins.</param>
    public static Calibration Of(ReadOnlySpan<double> probabilities, ReadOnlySpan<int> labels, int bins)
    {
        var classes = Scores.Columns(probabilities, labels);
        var (counts, confidence, right) = (new int[bins], new double[bins], new int[bins]);
        for (var i = 0; i < labels.Length; i++)
        {
            var row = probabilities.Slice(i * classes, classes);
            var best = Scores.IndexOfLargest(row);
            var bin = BinOf(row[best], bins);
            counts[bin]++;
            confidence[bin] += row[best];
            right[bin] += best == labels[i] ? 1 : 0;
        }

        return new Calibration(
        [
            .. Enumerable.Range(0, bins)
                .Select(b => new CalibrationBin(counts[b], confidence[b] / counts[b], (double)right[b] / counts[b])),
        ]);
    }

    // The edges as they are commonly computed, a multiple of a rounded width: 0.6 lies below the sixth of ten.
    private static int BinOf(double confidence, int bins)
    {
        var width = 1.0 / bins;
        var bin = Math.Clamp((int)Math.Ceiling(confidence * bins) - 1, 0, bins - 1);
        while (bin > 0 && confidence <= bin * width)
            bin--;
        while (bin < bins - 1 && confidence > (bin + 1) * width)
            bin++;
        return bin;
    }

    private static double Distance(CalibrationBin bin) => Math.Abs(bin.Accuracy - bin.Confidence);
}
