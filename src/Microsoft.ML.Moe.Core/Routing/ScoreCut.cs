namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// Where a stable sort by descending score would cut off its first entries, found without sorting: an entry is among them when its
/// score is above the cut, or on it while the ties last. Entries are asked for one by one, in ascending order of their numbers.
/// </summary>
internal struct ScoreCut
{
    /// <summary>So often may quickselect choose a bad pivot before a sort ends the search.</summary>
    private const int MostRounds = 64;
    private readonly double _score;
    private int _ties;

    private ScoreCut(double score, int ties)
    {
        _score = score;
        _ties = ties;
    }

    /// <summary>Finds the cut: quickselect with three-way partition (Hoare 1961, "Algorithm 65"), O(n) expected.</summary>
    /// <param name="scores">All scores, in any order; their order is lost. NaN counts as the smallest.</param>
    /// <param name="count">How many entries to take, at least 0; more than there are take all.</param>
    public static ScoreCut Of(Span<double> scores, int count)
    {
        if (count <= 0)
            return new ScoreCut(double.PositiveInfinity, 0);
        if (count >= scores.Length)
            return new ScoreCut(double.NegativeInfinity, int.MaxValue);
        foreach (ref var score in scores)
            score = OrSmallest(score);

        // of [low, high), the entries before it are larger, those after it smaller, and entry count − 1 lies within
        var (low, high) = (0, scores.Length);
        for (var round = 0; round < MostRounds; round++)
        {
            var pivot = Pivot(scores[low..high]);
            var (larger, equal) = Partition(scores[low..high], pivot);
            if (count <= low + larger)
                high = low + larger;
            else if (count > low + larger + equal)
                low += larger + equal;
            else
                return new ScoreCut(pivot, count - low - larger);
        }

        scores[low..high].Sort((x, y) => y.CompareTo(x));
        var last = scores[count - 1];
        return new ScoreCut(last, count - low - scores[low..high].IndexOf(last));
    }

    /// <summary>Whether the next entry is among the first.</summary>
    /// <param name="score">Its score.</param>
    public bool Takes(double score) => score > _score || (_ties > 0 && OrSmallest(score) == _score && _ties-- > 0);

    private static double OrSmallest(double score) => double.IsNaN(score) ? double.NegativeInfinity : score;

    /// <summary>Moves the larger scores to the front and those that equal the pivot behind them.</summary>
    private static (int Larger, int Equal) Partition(Span<double> scores, double pivot)
    {
        var (larger, next, smaller) = (0, 0, scores.Length);
        while (next < smaller)
        {
            var score = scores[next];
            if (score > pivot)
            {
                scores[next++] = scores[larger];
                scores[larger++] = score;
            }
            else if (score < pivot)
            {
                scores[next] = scores[--smaller];
                scores[smaller] = score;
            }
            else
            {
                next++;
            }
        }

        return (larger, next - larger);
    }

    /// <summary>The median of first, middle and last.</summary>
    private static double Pivot(ReadOnlySpan<double> scores)
    {
        var (first, middle, last) = (scores[0], scores[scores.Length / 2], scores[^1]);
        return Math.Max(Math.Min(first, middle), Math.Min(Math.Max(first, middle), last));
    }
}
