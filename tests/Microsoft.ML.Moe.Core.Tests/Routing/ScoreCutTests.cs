using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>The cut must take exactly what a stable sort by descending score would put first.</summary>
public class ScoreCutTests
{
    public static TheoryData<int> Seeds { get; } = [.. Enumerable.Range(0, 100)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void TakesWhatAStableSortPutsFirst(int seed)
    {
        var random = new Random(seed);
        var scores = new double[random.Next(1, seed < 90 ? 60 : 5000)];
        // from nothing but ties to none at all
        var levels = 1 << random.Next(0, 20);
        for (var i = 0; i < scores.Length; i++)
            scores[i] = random.Next(levels) / (double)levels;
        if (seed % 4 == 0)
            Array.Sort(scores);
        if (seed % 8 == 0)
            Array.Reverse(scores);

        foreach (var count in new[] { 0, 1, random.Next(scores.Length), scores.Length / 2, scores.Length - 1, scores.Length, scores.Length + 1 })
            Assert.Equal(First(scores, count), Taken(scores, count));
    }

    [Fact]
    public void ExtremesAreOrderedLikeOtherNumbers()
    {
        double[] scores = [0, double.Epsilon, double.MaxValue, -1, double.NegativeInfinity, double.PositiveInfinity, double.Epsilon, 0];

        for (var count = 0; count <= scores.Length; count++)
            Assert.Equal(First(scores, count), Taken(scores, count));
    }

    [Fact]
    public void NaNIsTheSmallest()
    {
        double[] scores = [double.NaN, 1, double.NaN, 0];

        Assert.Equal([1], Taken(scores, 1));
        Assert.Equal([1, 3], Taken(scores, 2));
        Assert.Equal([0, 1, 3], Taken(scores, 3));
        Assert.Equal([0, 1, 2, 3], Taken(scores, 4));
    }

    [Fact]
    public void NoScoresGiveNothing() => Assert.Empty(Taken([], 3));

    [Fact]
    public void AnOrderThatSpoilsEveryPivotIsCutAllTheSame()
    {
        // medians of first, middle and last are the second largest each time: every round takes off two scores only
        var scores = new double[400];
        Array.Fill(scores, -1);
        var order = Enumerable.Range(0, scores.Length).ToArray();
        var (low, next) = (0, (double)scores.Length);
        while (low < order.Length - 1)
        {
            var rest = order.AsSpan(low);
            scores[rest[0]] = next--;
            scores[rest[rest.Length / 2]] = scores[rest[rest.Length / 2]] < 0 ? next-- : scores[rest[rest.Length / 2]];
            low++;
        }

        for (var i = 0; i < scores.Length; i++)
            scores[i] = scores[i] < 0 ? 0 : scores[i];
        foreach (var count in new[] { 1, 150, 200, 399 })
            Assert.Equal(First(scores, count), Taken(scores, count));
    }

    /// <summary>Gates and choices that Expert Choice implementations are tested with: each expert takes two of three items.</summary>
    [Fact]
    public void ExpertsTakeTheItemsOfThePublishedExample()
    {
        double[][] gates = [[.4, 0, .2], [.5, .1, .4], [.3, .2, .6]];

        Assert.Equal([0, 1], Taken([.. gates.Select(item => item[0])], 2));
        Assert.Equal([1, 2], Taken([.. gates.Select(item => item[1])], 2));
        Assert.Equal([1, 2], Taken([.. gates.Select(item => item[2])], 2));
    }

    private static int[] First(double[] scores, int count) =>
        [.. Enumerable.Range(0, scores.Length).OrderByDescending(i => scores[i]).Take(count).Order()];

    private static int[] Taken(double[] scores, int count)
    {
        var cut = ScoreCut.Of((double[])scores.Clone(), count);
        var together = cut;
        var taken = new bool[scores.Length];
        for (var i = 0; i < scores.Length; i++)
            taken[i] = cut.Takes(scores[i]);

        // asking for several at once gives the same
        var half = scores.Length / 2;
        var flags = new bool[scores.Length];
        together.Take(scores.AsSpan(0, half), flags);
        together.Take(scores.AsSpan(half), flags.AsSpan(half));
        Assert.Equal(taken, flags);
        return [.. Enumerable.Range(0, scores.Length).Where(i => taken[i])];
    }
}
