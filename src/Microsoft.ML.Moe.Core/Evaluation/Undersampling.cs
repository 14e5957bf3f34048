namespace Microsoft.ML.Moe.Evaluation;

/// <summary>
/// The training rows of MTEB's classification protocol: for each experiment the list of rows is shuffled anew from the same seed, on top of
/// the shuffles before, and the first rows of each class are taken.
/// </summary>
/// <param name="labels">Class of each row.</param>
/// <param name="rowsForEachClass">Rows of a class at most.</param>
/// <param name="seed">The seed.</param>
internal sealed class Undersampling(IReadOnlyList<int> labels, int rowsForEachClass, uint seed)
{
    private readonly int[] _order = [.. Enumerable.Range(0, labels.Count)];

    /// <summary>The rows of the next experiment, in the order in which they were taken.</summary>
    public List<int> Next()
    {
        new MersenneTwister(seed).Shuffle<int>(_order);
        var (taken, counts) = (new List<int>(), new Dictionary<int, int>());
        foreach (var row in _order)
        {
            var count = counts.GetValueOrDefault(labels[row]);
            if (count == rowsForEachClass)
                continue;
            counts[labels[row]] = count + 1;
            taken.Add(row);
        }

        return taken;
    }
}
