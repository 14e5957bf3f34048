using Microsoft.ML.Moe.Evaluation;

namespace Microsoft.ML.Moe.Tests.Evaluation;

public class PassAtKTests
{
    [Theory]
    [InlineData(1, 0, 1, 0)]
    [InlineData(1, 1, 1, 1)]
    [InlineData(4, 1, 1, 0.25)]
    [InlineData(4, 1, 2, 0.5)]
    [InlineData(5, 2, 3, 0.9)] // 1 − C(3,3)/C(5,3)
    [InlineData(5, 3, 3, 1)]
    [InlineData(200, 1, 100, 0.5)]
    public void PassAtKCountsTheDrawsThatHaveARightSample(int samples, int passed, int k, double expected) =>
        Assert.Equal(expected, PassAtK.Estimate(samples, passed, k), 1e-12);

    [Theory]
    [InlineData(3, 1, 0)]
    [InlineData(3, 1, 4)]
    [InlineData(3, 4, 1)]
    [InlineData(3, -1, 1)]
    public void PassAtKHasItsRange(int samples, int passed, int k) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => PassAtK.Estimate(samples, passed, k));
}
