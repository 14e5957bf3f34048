using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

public class StratifiedFoldsTests
{
    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    public void EveryFoldHasItsShareOfEveryClass(int folds)
    {
        var random = new Random(1);
        int[] labels = [.. Enumerable.Range(0, 200).Select(_ => (int)(7 * random.NextDouble() * random.NextDouble()))];

        var foldOf = StratifiedFolds.Of(labels, folds, new Random(2));

        foreach (var ofClass in Enumerable.Range(0, labels.Length).GroupBy(row => labels[row]))
        {
            int[] counts = [.. Enumerable.Range(0, folds).Select(fold => ofClass.Count(row => foldOf[row] == fold))];
            Assert.InRange(counts.Max() - counts.Min(), 0, 1);
        }
    }

    [Fact]
    public void ClassesOfOneRowDoNotAllFallIntoOneFold()
    {
        var foldOf = StratifiedFolds.Of([.. Enumerable.Range(0, 30)], 3, new Random(1));

        Assert.Equal([10, 10, 10], foldOf.CountBy(fold => fold).OrderBy(pair => pair.Key).Select(pair => pair.Value));
    }

    [Fact]
    public void TheSameSeedGivesTheSameFolds()
    {
        int[] labels = [.. Enumerable.Range(0, 50).Select(i => i % 4)];

        Assert.Equal(StratifiedFolds.Of(labels, 3, new Random(5)), StratifiedFolds.Of(labels, 3, new Random(5)));
        Assert.NotEqual(StratifiedFolds.Of(labels, 3, new Random(5)), StratifiedFolds.Of(labels, 3, new Random(6)));
        Assert.Throws<ArgumentOutOfRangeException>(() => StratifiedFolds.Of(labels, 1, new Random(1)));
    }
}
