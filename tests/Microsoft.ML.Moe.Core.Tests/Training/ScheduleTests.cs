using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

public class ScheduleTests
{
    [Theory]
    [InlineData(LearningRateDecay.Cosine, 60, 0.5)]
    [InlineData(LearningRateDecay.Linear, 60, 0.5)]
    [InlineData(LearningRateDecay.Constant, 99, 1)]
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
}
