namespace Microsoft.ML.Moe.Evaluation;

/// <summary>Tables of rows × classes of logits or probabilities, and how good they are.</summary>
internal static class Scores
{
    /// <summary>Number of classes.</summary>
    /// <exception cref="ArgumentException">There are no rows, or the table is not a whole number of classes wide.</exception>
    public static int Columns(ReadOnlySpan<double> scores, ReadOnlySpan<int> labels) =>
        labels.Length > 0 && scores.Length > 0 && scores.Length % labels.Length == 0
            ? scores.Length / labels.Length
            : throw new ArgumentException(
                $"{scores.Length} scores are not the same number for each of {labels.Length} rows.", nameof(scores));

    /// <summary>The first of the largest.</summary>
    public static int IndexOfLargest(ReadOnlySpan<double> row)
    {
        var best = 0;
        for (var c = 1; c < row.Length; c++)
            if (row[c] > row[best])
                best = c;
        return best;
    }

    /// <summary>Softmax of each row of logits / temperature.</summary>
    public static double[] Softmax(ReadOnlySpan<double> logits, int classes, double temperature = 1)
    {
        var result = new double[logits.Length];
        for (var start = 0; start < logits.Length; start += classes)
        {
            var row = logits.Slice(start, classes);
            var p = result.AsSpan(start, classes);
            var largest = row[IndexOfLargest(row)];
            var sum = 0.0;
            for (var c = 0; c < classes; c++)
                sum += p[c] = Math.Exp((row[c] - largest) / temperature);
            foreach (ref var value in p)
                value /= sum;
        }

        return result;
    }

    /// <summary>Mean −ln softmax(logits / temperature)[label].</summary>
    public static double LogLoss(ReadOnlySpan<double> logits, ReadOnlySpan<int> labels, double temperature = 1)
    {
        var classes = Columns(logits, labels);
        var loss = 0.0;
        for (var i = 0; i < labels.Length; i++)
        {
            var row = logits.Slice(i * classes, classes);
            var largest = row[IndexOfLargest(row)];
            var sum = 0.0;
            foreach (var logit in row)
                sum += Math.Exp((logit - largest) / temperature);
            loss += Math.Log(sum) - ((row[labels[i]] - largest) / temperature);
        }

        return loss / labels.Length;
    }

    /// <summary>Share of rows whose largest score is that of their class.</summary>
    public static double Accuracy(ReadOnlySpan<double> scores, ReadOnlySpan<int> labels)
    {
        var classes = Columns(scores, labels);
        var right = 0;
        for (var i = 0; i < labels.Length; i++)
            right += IndexOfLargest(scores.Slice(i * classes, classes)) == labels[i] ? 1 : 0;
        return (double)right / labels.Length;
    }

    /// <summary>
    /// Brier's score (Brier 1950): mean over rows of the squared distance between the probabilities and 1 for the row's class, 0 for
    /// others.
    /// </summary>
    public static double Brier(ReadOnlySpan<double> probabilities, ReadOnlySpan<int> labels)
    {
        var classes = Columns(probabilities, labels);
        var sum = 0.0;
        for (var i = 0; i < probabilities.Length; i++)
        {
            var distance = probabilities[i] - (i % classes == labels[i / classes] ? 1 : 0);
            sum += distance * distance;
        }

        return sum / labels.Length;
    }

    /// <summary>
    /// The temperature that logits must be divided by for the smallest log-loss (Guo et al. 2017, section 4.2): the loss is convex in its
    /// inverse, and Newton's method finds the minimum.
    /// </summary>
    /// <returns>The temperature, within [1e-3, 1e3].</returns>
    public static double BestTemperature(ReadOnlySpan<double> logits, ReadOnlySpan<int> labels)
    {
        const double Smallest = 1e-3;
        var (low, high, inverse) = (Smallest, 1 / Smallest, 1.0);
        for (var step = 0; step < 200; step++)
        {
            var (slope, curvature) = SlopeAndCurvature(logits, labels, inverse);
            if (slope > 0)
                high = inverse;
            else
                low = inverse;
            var next = inverse - (slope / curvature);
            if (Math.Abs(next - inverse) <= 1e-14 * inverse)
                return 1 / next;
            // A step out of the bracket, or along a line without curvature, becomes a bisection.
            inverse = next > low && next < high ? next : Math.Sqrt(low * high);
        }

        return 1 / inverse;
    }

    private static (double Slope, double Curvature) SlopeAndCurvature(ReadOnlySpan<double> logits, ReadOnlySpan<int> labels, double inverse)
    {
        var classes = Columns(logits, labels);
        var p = Softmax(logits, classes, 1 / inverse);
        var (slope, curvature) = (0.0, 0.0);
        for (var i = 0; i < labels.Length; i++)
        {
            var row = logits.Slice(i * classes, classes);
            var (mean, square) = (0.0, 0.0);
            for (var c = 0; c < classes; c++)
                mean += p[(i * classes) + c] * row[c];
            for (var c = 0; c < classes; c++)
                square += p[(i * classes) + c] * (row[c] - mean) * (row[c] - mean);
            slope += mean - row[labels[i]];
            curvature += square;
        }

        return (slope, curvature);
    }
}
