namespace Microsoft.ML.Moe.Training;

/// <summary>Draws a validation set by class, so that every class keeps training rows.</summary>
internal static class StratifiedSplit
{
    /// <summary>Training rows from which some are held out: of fewer, learning needs each.</summary>
    public const int FewestRowsToHoldOut = 50;

    /// <summary>Splits rows.</summary>
    /// <param name="rows">All rows.</param>
    /// <param name="share">Share of each class to hold out, within [0, 1); a class's last row is never held out.</param>
    /// <param name="random">Random numbers.</param>
    public static (List<Example<TRow>> Training, List<Example<TRow>> Validation) Of<TRow>(
        IReadOnlyList<Example<TRow>> rows, float share, Random random)
    {
        var order = Enumerable.Range(0, rows.Count).ToArray();
        random.Shuffle(order);
        var isHeldOut = new bool[rows.Count];
        foreach (var group in order.GroupBy(i => rows[i].Target))
        {
            // rounded at random, so that classes with few rows take their part
            var count = Math.Min(group.Count() - 1, (int)(group.Count() * (double)share + random.NextDouble()));
            foreach (var i in group.Take(count))
                isHeldOut[i] = true;
        }

        var split = (Training: new List<Example<TRow>>(), Validation: new List<Example<TRow>>());
        for (var i = 0; i < rows.Count; i++)
            (isHeldOut[i] ? split.Validation : split.Training).Add(rows[i]);
        return split;
    }
}
