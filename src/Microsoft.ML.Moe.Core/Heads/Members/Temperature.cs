namespace Microsoft.ML.Moe.Heads;

/// <summary>
/// Temperature scaling of the probabilities of an ensemble, after they were averaged (Guo et al. 2017, "On calibration of modern neural
/// networks", section 4.2; Rahaman and Thiery 2021, "Uncertainty quantification and deep ensembles", on the order).
/// </summary>
internal static class Temperature
{
    private const double Coldest = 0.25;
    private const double Hottest = 4;
    private const double Smallest = 1e-30;
    private const int Steps = 40;

    /// <summary>Raises probabilities to 1/T and normalises them.</summary>
    /// <param name="probabilities">Rows × classes, row-major.</param>
    /// <param name="classes">Number of classes.</param>
    /// <param name="temperature">T, over 0.</param>
    public static void Apply(Span<float> probabilities, int classes, float temperature)
    {
        for (var start = 0; start < probabilities.Length; start += classes)
        {
            var row = probabilities.Slice(start, classes);
            var (largest, sum) = (0f, 0.0);
            foreach (var p in row)
                largest = Math.Max(largest, p);
            if (!(largest > 0f))
                continue;
            foreach (ref var p in row)
            {
                p = (float)Math.Pow(p / (double)largest, 1 / temperature);
                sum += p;
            }

            foreach (ref var p in row)
                p = (float)(p / sum);
        }
    }

    /// <summary>The temperature of the smallest log-loss, by golden-section search on a logarithmic scale: the log-loss has one minimum.</summary>
    /// <param name="probabilities">Rows × classes, row-major.</param>
    /// <param name="classes">Number of classes.</param>
    /// <param name="targets">The right class of each row.</param>
    /// <param name="weights">How much each row counts; none of weight 0 does.</param>
    /// <returns>T within [0.25, 4], and the mean log-loss with it.</returns>
    public static (float Temperature, double Loss) Fit(ReadOnlySpan<float> probabilities, int classes, ReadOnlySpan<int> targets, ReadOnlySpan<float> weights)
    {
        var logs = new double[probabilities.Length];
        for (var i = 0; i < logs.Length; i++)
            logs[i] = Math.Log(Math.Max(probabilities[i], Smallest));
        var share = (Math.Sqrt(5) - 1) / 2;
        var (low, high) = (Math.Log(Coldest), Math.Log(Hottest));
        var (left, right) = (high - share * (high - low), low + share * (high - low));
        var (lossLeft, lossRight) = (LossAt(logs, classes, targets, weights, left), LossAt(logs, classes, targets, weights, right));
        for (var step = 0; step < Steps && high - low > 1e-4; step++)
        {
            if (lossLeft <= lossRight)
            {
                (high, right, lossRight) = (right, left, lossLeft);
                left = high - share * (high - low);
                lossLeft = LossAt(logs, classes, targets, weights, left);
            }
            else
            {
                (low, left, lossLeft) = (left, right, lossRight);
                right = low + share * (high - low);
                lossRight = LossAt(logs, classes, targets, weights, right);
            }
        }

        var middle = (low + high) / 2;
        return ((float)Math.Exp(middle), LossAt(logs, classes, targets, weights, middle));
    }

    private static double LossAt(
        double[] logs, int classes, ReadOnlySpan<int> targets, ReadOnlySpan<float> weights, double logTemperature)
    {
        var factor = Math.Exp(-logTemperature);
        var (loss, weight) = (0.0, 0.0);
        for (var row = 0; row < targets.Length; row++)
        {
            if (!(weights[row] > 0f))
                continue;
            var values = logs.AsSpan(row * classes, classes);
            var largest = double.NegativeInfinity;
            foreach (var value in values)
                largest = Math.Max(largest, value);
            var sum = 0.0;
            foreach (var value in values)
                sum += Math.Exp((value - largest) * factor);
            loss += weights[row] * (Math.Log(sum) - (values[targets[row]] - largest) * factor);
            weight += weights[row];
        }

        return weight > 0 ? loss / weight : 0;
    }
}
