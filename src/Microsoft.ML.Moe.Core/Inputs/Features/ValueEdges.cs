namespace Microsoft.ML.Moe.Inputs;

/// <summary>
/// Edges of a piecewise-linear encoding (Gorishniy et al. 2022, "On embeddings for numerical features in tabular deep learning", section
/// 3.2), with an edge of its own for each value that many rows share: plain quantiles would leave a slot that is mostly 0 hardly any.
/// </summary>
internal static class ValueEdges
{
    private const double OuterShare = 0.001;

    /// <summary>Rows from which on the outermost quantiles tell more than the extremes.</summary>
    private const int FewestRowsToClip = 1000;

    /// <summary>Whether values are finite and each is over the one before.</summary>
    public static bool Rise(ReadOnlySpan<float> values)
    {
        for (var i = 0; i < values.Length; i++)
            if (!float.IsFinite(values[i]) || (i > 0 && values[i] <= values[i - 1]))
                return false;
        return true;
    }

    /// <summary>Chooses edges.</summary>
    /// <param name="values">Different values, rising, at least two.</param>
    /// <param name="counts">Rows of each.</param>
    /// <param name="most">Most edges, at least 2.</param>
    public static float[] Of(ReadOnlySpan<float> values, ReadOnlySpan<int> counts, int most)
    {
        if (values.Length <= most)
            return values.ToArray();
        var (isHeavy, rest, left) = Heavy(counts, most);
        var edges = new SortedSet<float>();
        for (var i = 0; i < values.Length; i++)
            if (isHeavy[i])
                edges.Add(values[i]);
        AddQuantiles(edges, values, counts, isHeavy, rest, left);
        if (edges.Count < 2)
            edges.UnionWith([values[0], values[^1]]);
        return [.. edges];
    }

    /// <summary>Quantiles of values that rows share.</summary>
    /// <param name="values">Rising.</param>
    /// <param name="counts">Rows of each.</param>
    /// <param name="rows">Sum of the counts.</param>
    /// <param name="share">Within [0, 1].</param>
    public static float Quantile(ReadOnlySpan<float> values, ReadOnlySpan<int> counts, long rows, double share)
    {
        var target = share * (rows - 1);
        var before = 0L;
        for (var i = 0; i < values.Length; i++)
        {
            before += counts[i];
            if (before > target)
                return values[i];
        }

        return values[^1];
    }

    /// <summary>The range without the outermost thousandth on each side; of fewer than a thousand rows, all of it.</summary>
    /// <inheritdoc cref="Quantile"/>
    public static (float Low, float High) Range(ReadOnlySpan<float> values, ReadOnlySpan<int> counts, long rows) => rows < FewestRowsToClip
        ? (values[0], values[^1])
        : (Quantile(values, counts, rows, OuterShare), Quantile(values, counts, rows, 1 - OuterShare));

    /// <summary>Values with more rows than an edge would stand for, the most frequent first.</summary>
    private static (bool[] IsHeavy, long Others, int Left) Heavy(ReadOnlySpan<int> counts, int most)
    {
        var order = new int[counts.Length];
        var keys = new int[counts.Length];
        var rest = 0L;
        for (var i = 0; i < counts.Length; i++)
        {
            (order[i], keys[i]) = (i, -counts[i]);
            rest += counts[i];
        }

        Array.Sort(keys, order, Comparer<int>.Default);
        var isHeavy = new bool[counts.Length];
        var left = most;
        for (var next = 0; left > 0 && counts[order[next]] * (long)left > rest; next++)
        {
            isHeavy[order[next]] = true;
            rest -= counts[order[next]];
            left--;
        }

        return (isHeavy, rest, left);
    }

    private static void AddQuantiles(
        SortedSet<float> edges, ReadOnlySpan<float> values, ReadOnlySpan<int> counts, bool[] isHeavy, long rest, int left)
    {
        if (left == 0 || rest == 0)
            return;
        var all = 0L;
        foreach (var count in counts)
            all += count;
        var (low, high) = Range(values, counts, all);
        var (kept, ofKept) = (new List<float>(), new List<int>());
        for (var i = 0; i < values.Length; i++)
        {
            if (isHeavy[i])
                continue;
            kept.Add(values[i]);
            ofKept.Add(counts[i]);
        }

        var (keptValues, keptCounts) = (kept.ToArray(), ofKept.ToArray());
        for (var i = 0; i < left; i++)
        {
            var share = left == 1 ? 0.5 : (double)i / (left - 1);
            edges.Add(Math.Clamp(Quantile(keptValues, keptCounts, rest, share), low, high));
        }
    }
}
