using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Training;

/// <summary>Measures a classifier on labelled rows.</summary>
internal static class Evaluation
{
    private const int RowsAtOnce = 1024;
    private const double SmallestProbability = 1e-15;

    /// <summary>Mean negative log-likelihood in nats, and the share of rows predicted right.</summary>
    /// <param name="classifier">The classifier.</param>
    /// <param name="rows">At least one row.</param>
    /// <param name="observer">Is shown what the MoE layers route where; null for nobody.</param>
    public static (double Loss, double Accuracy) Of<TRow>(
        Classifier<TRow> classifier, IReadOnlyList<LabelledRow<TRow>> rows, IRoutingObserver? observer = null)
    {
        var classes = classifier.ClassCount;
        var (loss, right) = (0.0, 0);
        foreach (var chunk in rows.Chunk(RowsAtOnce))
        {
            var probabilities = new float[chunk.Length * classes];
            classifier.ScoreObserved([.. chunk.Select(r => r.Input)], probabilities, observer);
            for (var i = 0; i < chunk.Length; i++)
            {
                ReadOnlySpan<float> row = probabilities.AsSpan(i * classes, classes);
                loss -= Math.Log(Math.Max(row[chunk[i].Label], SmallestProbability));
                right += IndexOfMaximum(row) == chunk[i].Label ? 1 : 0;
            }
        }

        return (loss / rows.Count, (double)right / rows.Count);
    }

    /// <summary>Where the largest value is; of equal ones the first.</summary>
    public static int IndexOfMaximum(ReadOnlySpan<float> values)
    {
        var best = 0;
        for (var i = 1; i < values.Length; i++)
            if (values[i] > values[best])
                best = i;
        return best;
    }
}
