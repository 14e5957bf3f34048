namespace Microsoft.ML.Moe.Evaluation;

/// <summary>
/// How two series of numbers of the same length go together. NaN where one of them is constant or there are fewer than two.
/// </summary>
internal static class Correlation
{
    /// <summary>Pearson's correlation.</summary>
    public static double Pearson(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        Check(x, y);
        var (meanX, meanY) = (Mean(x), Mean(y));
        var (xx, yy, xy) = (0.0, 0.0, 0.0);
        for (var i = 0; i < x.Length; i++)
        {
            var (dx, dy) = (x[i] - meanX, y[i] - meanY);
            xx += dx * dx;
            yy += dy * dy;
            xy += dx * dy;
        }

        // Tested on the values: the mean of equal values may be rounded, and then they seem to differ from it.
        return IsConstant(x) || IsConstant(y) ? double.NaN : Math.Clamp(xy / (Math.Sqrt(xx) * Math.Sqrt(yy)), -1.0, 1.0);
    }

    /// <summary>Spearman's rank correlation: Pearson's of the ranks, ties sharing the mean of theirs.</summary>
    public static double Spearman(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        Check(x, y);
        return HasNaN(x) || HasNaN(y) ? double.NaN : Pearson(Ranks(x), Ranks(y));
    }

    /// <summary>Kendall's rank correlation tau-b, which allows for ties (Kendall 1945).</summary>
    public static double KendallTauB(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        Check(x, y);
        if (HasNaN(x) || HasNaN(y))
            return double.NaN;
        var (balance, tiedX, tiedY, pairs) = (0L, 0L, 0L, (long)x.Length * (x.Length - 1) / 2);
        for (var i = 0; i < x.Length; i++)
        {
            for (var j = 0; j < i; j++)
            {
                var (signX, signY) = (x[i].CompareTo(x[j]), y[i].CompareTo(y[j]));
                balance += signX * signY;
                tiedX += signX == 0 ? 1 : 0;
                tiedY += signY == 0 ? 1 : 0;
            }
        }

        return pairs == tiedX || pairs == tiedY
            ? double.NaN
            : Math.Clamp(balance / Math.Sqrt(pairs - tiedX) / Math.Sqrt(pairs - tiedY), -1.0, 1.0);
    }

    /// <summary>The mean of the squared differences.</summary>
    public static double MeanSquaredError(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        Check(x, y);
        var sum = 0.0;
        for (var i = 0; i < x.Length; i++)
            sum += (x[i] - y[i]) * (x[i] - y[i]);
        return sum / x.Length;
    }

    /// <summary>Ranks from 1; equal values share the mean of their ranks.</summary>
    public static double[] Ranks(ReadOnlySpan<double> values)
    {
        var sorted = values.ToArray();
        int[] order = [.. Enumerable.Range(0, values.Length)];
        Array.Sort(sorted, order);
        var ranks = new double[values.Length];
        for (var start = 0; start < sorted.Length;)
        {
            var end = start + 1;
            while (end < sorted.Length && sorted[end] == sorted[start])
                end++;
            for (var i = start; i < end; i++)
                ranks[order[i]] = (start + end + 1) / 2.0;
            start = end;
        }

        return ranks;
    }

    /// <summary>Whether all values are equal, or there are fewer than two.</summary>
    public static bool IsConstant(ReadOnlySpan<double> values)
    {
        foreach (var value in values)
            if (value != values[0])
                return false;
        return true;
    }

    private static double Mean(ReadOnlySpan<double> values)
    {
        var sum = 0.0;
        foreach (var value in values)
            sum += value;
        return sum / values.Length;
    }

    private static bool HasNaN(ReadOnlySpan<double> values)
    {
        foreach (var value in values)
            if (double.IsNaN(value))
                return true;
        return false;
    }

    private static void Check(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        if (x.Length != y.Length)
            throw new ArgumentException($"There are {x.Length} numbers on one side and {y.Length} on the other.", nameof(y));
    }
}
