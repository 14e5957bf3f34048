namespace Microsoft.ML.Moe.Training;

/// <summary>Divides rows into folds, so that each has its share of every class.</summary>
internal static class StratifiedFolds
{
    /// <summary>The fold of each row, within [0, folds).</summary>
    /// <param name="labels">Class of each row.</param>
    /// <param name="folds">Number of folds, at least 2.</param>
    /// <param name="random">Random numbers.</param>
    public static int[] Of(ReadOnlySpan<int> labels, int folds, Random random)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(folds, 2);
        var order = Enumerable.Range(0, labels.Length).ToArray();
        random.Shuffle(order);
        var foldOf = new int[labels.Length];
        var next = new Dictionary<int, int>();
        var first = 0;
        foreach (var row in order)
        {
            // each class begins where the one before it ended, so that classes of one row do not all fall into one fold
            if (!next.TryGetValue(labels[row], out var fold))
                fold = first++ % folds;
            foldOf[row] = fold;
            next[labels[row]] = (fold + 1) % folds;
        }

        return foldOf;
    }
}
