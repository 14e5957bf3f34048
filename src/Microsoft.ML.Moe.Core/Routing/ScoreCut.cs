using System.Runtime.CompilerServices;

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

    /// <summary>Finds the cut: quickselect (Hoare 1961, "Algorithm 65"), O(n) expected.</summary>
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

        // the scores before rest are larger than those in it, those behind it smaller; the cut is at rest's count-th largest
        var rest = scores;
        for (var round = 0; round < MostRounds; round++)
        {
            var pivot = Pivot(rest);
            var larger = MoveLargerToFront(rest, pivot);
            if (count <= larger)
            {
                rest = rest[..larger];
                continue;
            }

            count -= larger;
            rest = rest[larger..];
            var equal = MoveEqualToFront(rest, pivot);
            if (count <= equal)
                return At(pivot, count, equal);
            count -= equal;
            rest = rest[equal..];
        }

        rest.Sort((x, y) => y.CompareTo(x));
        var last = rest[count - 1];
        return At(last, count - rest.IndexOf(last), rest.Count(last));
    }

    /// <summary>Whether the next entry is among the first.</summary>
    /// <param name="score">Its score.</param>
    public bool Takes(double score)
    {
        var isAbove = score > _score;
        return _ties == 0 || isAbove ? isAbove : OrSmallest(score) == _score && _ties-- > 0;
    }

    /// <summary>Whether each of the next entries is among the first.</summary>
    /// <param name="scores">Their scores.</param>
    /// <param name="taken">Receives one flag for each.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Take(ReadOnlySpan<double> scores, Span<bool> taken)
    {
        if (_ties > 0)
        {
            for (var i = 0; i < scores.Length; i++)
                taken[i] = Takes(scores[i]);
            return;
        }

        var cut = _score;
        for (var i = 0; i < scores.Length; i++)
            taken[i] = scores[i] > cut;
    }

    /// <summary>The cut that takes some of the entries of a score; where it takes all, asking is cheaper without counting them.</summary>
    private static ScoreCut At(double score, int taken, int equal) => taken == equal && score > double.NegativeInfinity
        ? new ScoreCut(Math.BitDecrement(score), 0)
        : new ScoreCut(score, taken);

    private static double OrSmallest(double score) => double.IsNaN(score) ? double.NegativeInfinity : score;

    /// <summary>Moves the scores over the pivot to the front, without branches: which they are cannot be predicted.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int MoveLargerToFront(Span<double> scores, double pivot)
    {
        var count = 0;
        for (var i = 0; i < scores.Length; i++)
        {
            var score = scores[i];
            scores[i] = scores[count];
            scores[count] = score;
            count += score > pivot ? 1 : 0;
        }

        return count;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int MoveEqualToFront(Span<double> scores, double pivot)
    {
        var count = 0;
        for (var i = 0; i < scores.Length; i++)
        {
            var score = scores[i];
            scores[i] = scores[count];
            scores[count] = score;
            count += score == pivot ? 1 : 0;
        }

        return count;
    }

    /// <summary>The median of first, middle and last.</summary>
    private static double Pivot(ReadOnlySpan<double> scores)
    {
        var (first, middle, last) = (scores[0], scores[scores.Length / 2], scores[^1]);
        return Math.Max(Math.Min(first, middle), Math.Min(Math.Max(first, middle), last));
    }
}
