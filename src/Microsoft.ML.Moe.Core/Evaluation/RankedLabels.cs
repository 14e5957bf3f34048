namespace Microsoft.ML.Moe.Evaluation;

/// <summary>The best cut through scores.</summary>
/// <param name="Accuracy">Accuracy of the cut that is best by it.</param>
/// <param name="AccuracyThreshold">Where that cut lies.</param>
/// <param name="F1">F1 of the cut that is best by it.</param>
/// <param name="Precision">Its precision.</param>
/// <param name="Recall">Its recall.</param>
/// <param name="F1Threshold">Where it lies.</param>
internal sealed record BestCuts(double Accuracy, double AccuracyThreshold, double F1, double Precision, double Recall, double F1Threshold);

/// <summary>How well scores tell positive rows from negative ones.</summary>
internal static class RankedLabels
{
    /// <summary>
    /// Average precision: the sum over distinct scores of the gain in recall times the precision there. 0 without positives.
    /// </summary>
    /// <param name="scores">A score a row, higher for rows that seem positive.</param>
    /// <param name="labels">Whether a row is positive.</param>
    public static double AveragePrecision(ReadOnlySpan<double> scores, ReadOnlySpan<bool> labels)
    {
        var (sorted, isPositive) = Sort(scores, labels, isHigherCloser: true);
        var (positives, before, sum) = (0, 0, 0.0);
        for (var i = 0; i < sorted.Length; i++)
        {
            positives += isPositive[i] ? 1 : 0;
            if (i + 1 < sorted.Length && sorted[i + 1] == sorted[i])
                continue;
            sum += (positives - before) * ((double)positives / (i + 1));
            before = positives;
        }

        return positives == 0 ? 0 : sum / positives;
    }

    /// <summary>
    /// The cuts with the best accuracy and the best F1, halfway between neighbouring scores, the first of equals. A cut lies between
    /// different scores and leaves at least one row on either side; where there is none, scores are 0 and thresholds −1 and 0 (MTEB 2.26).
    /// </summary>
    /// <param name="scores">A score a row.</param>
    /// <param name="labels">Whether a row is positive.</param>
    /// <param name="isHigherCloser">Whether positive rows have higher scores (similarities), or lower ones (distances).</param>
    public static BestCuts BestCuts(ReadOnlySpan<double> scores, ReadOnlySpan<bool> labels, bool isHigherCloser)
    {
        var (sorted, isPositive) = Sort(scores, labels, isHigherCloser);
        var positives = isPositive.Count(p => p);
        var best = new BestCuts(0, -1, 0, 0, 0, 0);
        var found = 0;
        for (var i = 0; i < sorted.Length - 1; i++)
        {
            found += isPositive[i] ? 1 : 0;
            if (sorted[i] == sorted[i + 1])
                continue;
            var threshold = (sorted[i] + sorted[i + 1]) / 2.0;
            var wrong = i + 1 - found;
            var accuracy = (double)(found + (sorted.Length - positives - wrong)) / sorted.Length;
            if (accuracy > best.Accuracy)
                best = best with { Accuracy = accuracy, AccuracyThreshold = threshold };
            if (found == 0)
                continue;
            var (precision, recall) = ((double)found / (i + 1), (double)found / positives);
            var f1 = 2 * precision * recall / (precision + recall);
            if (f1 > best.F1)
                best = best with { F1 = f1, Precision = precision, Recall = recall, F1Threshold = threshold };
        }

        return best;
    }

    private static (double[] Scores, bool[] Labels) Sort(ReadOnlySpan<double> scores, ReadOnlySpan<bool> labels, bool isHigherCloser)
    {
        if (scores.Length != labels.Length)
            throw new ArgumentException($"There are {scores.Length} scores and {labels.Length} labels.", nameof(labels));
        var (sorted, isPositive) = (scores.ToArray(), labels.ToArray());
        Array.Sort(sorted, isPositive);
        if (isHigherCloser)
        {
            Array.Reverse(sorted);
            Array.Reverse(isPositive);
        }

        return (sorted, isPositive);
    }
}
