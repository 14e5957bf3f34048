using Microsoft.ML.Moe.Evaluation;

namespace Microsoft.ML.Moe.Tests.Evaluation;

public class CorrelationTests
{
    [Fact]
    public void EqualValuesShareTheMeanOfTheirRanks() => Assert.Equal([1.5, 3, 1.5, 5, 5, 5], Correlation.Ranks([-0.0, 1, 0.0, 7, 7, 7]));

    [Fact]
    public void AConstantSeriesGoesTogetherWithNothing()
    {
        Assert.Equal(double.NaN, Correlation.Pearson([0.1, 0.1, 0.1], [1, 2, 3]));
        Assert.Equal(double.NaN, Correlation.Spearman([1, 2, 3], [0.1, 0.1, 0.1]));
        Assert.Equal(double.NaN, Correlation.KendallTauB([1, 2, 3], [4, 4, 4]));
        Assert.Equal(double.NaN, Correlation.Pearson([1], [2]));
        Assert.Equal(double.NaN, Correlation.Pearson([], []));
    }

    [Fact]
    public void ANumberThatIsNoneMakesTheRankCorrelationNone() => Assert.Equal(
        double.NaN, Correlation.Spearman([1, double.NaN, 3], [1, 2, 3]));

    [Fact]
    public void RanksDoNotChangeUnderAGrowingFunction()
    {
        var random = new Random(1);
        double[] x = [.. Enumerable.Range(0, 200).Select(_ => Math.Round(random.NextDouble(), 1))];
        double[] y = [.. Enumerable.Range(0, 200).Select(_ => random.NextDouble())];
        double[] grown = [.. x.Select(Math.Exp)];

        Assert.Equal(Correlation.Spearman(x, y), Correlation.Spearman(grown, y), 1e-12);
        Assert.Equal(Correlation.KendallTauB(x, y), Correlation.KendallTauB(grown, y), 1e-12);
    }

    [Fact]
    public void SeriesMustBeEquallyLong() => Assert.Throws<ArgumentException>(() => Correlation.Pearson([1, 2], [1]));
}
