using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

public class ScheduleTests
{
    [Theory]
    [InlineData(LearningRateDecay.Cosine, 60, 0.5)]
    [InlineData(LearningRateDecay.Linear, 60, 0.5)]
    [InlineData(LearningRateDecay.Constant, 99, 1)]
    [InlineData(LearningRateDecay.InverseSquareRoot, 80, 0.5)]
    [InlineData(LearningRateDecay.Cosine, 40, 0.8535534)]
    [InlineData(LearningRateDecay.Linear, 40, 0.75)]
    public void FallsAsNamed(LearningRateDecay decay, int step, double expected) =>
        Assert.Equal(expected, new LearningRateSchedule(decay, 100, 0.2f).FactorAt(step), 5);

    [Fact]
    public void RisesInAStraightLineAndStaysWithinOne()
    {
        var schedule = new LearningRateSchedule(LearningRateDecay.Cosine, 100, 0.2f);

        var factors = Enumerable.Range(0, 100).Select(schedule.FactorAt).ToList();

        Assert.All(factors, f => Assert.InRange(f, 1e-6f, 1f));
        Assert.Equal(1f / 21, factors[0], 5);
        Assert.Equal(2f / 21, factors[1], 5);
        Assert.Equal(1f, factors[20], 5);
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(1f)]
    public void AllOrNoWarmupIsFine(float share) =>
        Assert.All(Enumerable.Range(0, 3), step => Assert.InRange(
            new LearningRateSchedule(LearningRateDecay.Linear, 3, share).FactorAt(step), 1e-6f, 1f));

    [Fact]
    public void WaysFollowEachOtherAndStayAtTheEnd()
    {
        var curve = LearningRateCurves.Phases(
            0.5, new RatePhase(2, 1, LearningRateCurves.Linear), new RatePhase(4, 0, LearningRateCurves.SquareRoot));

        Assert.Equal([0.5, 0.75, 1, 0.5, 0, 0], new[] { 0.0, 1, 2, 3, 6, 9 }.Select(curve));
    }

    [Fact]
    public void RestartsBeginAtThePeakAndEndAtZero()
    {
        var equal = LearningRateCurves.Restarts(20, 2);
        var growing = LearningRateCurves.GrowingRestarts(10, 3, 0.2);

        Assert.Equal([1, 0.5, 1, 0.5, 0, 0], new[] { 0.0, 5, 10, 15, 20, 25 }.Select(equal).Select(factor => Math.Round(factor, 12)));
        Assert.Equal([1, 0.6, 1, 0.6, 1], new[] { 0.0, 5, 10, 25, 40 }.Select(growing).Select(factor => Math.Round(factor, 12)));
    }
}
