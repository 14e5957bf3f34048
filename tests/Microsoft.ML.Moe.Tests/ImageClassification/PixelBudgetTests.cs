using Microsoft.ML.Moe.Rows;

namespace Microsoft.ML.Moe.Tests.ImageClassification;

/// <summary>How much is decoded at once.</summary>
public sealed class PixelBudgetTests
{
    [Fact]
    public void ThreadsTogetherStayWithinIt()
    {
        var budget = new PixelBudget(10);
        var (now, most) = (0, 0);
        Parallel.For(0, 2000, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i => budget.Run(4, () =>
        {
            var running = Interlocked.Increment(ref now);
            for (var seen = Volatile.Read(ref most); running > seen;)
                seen = Interlocked.CompareExchange(ref most, running, seen);
            Thread.SpinWait(100);
            return Interlocked.Decrement(ref now);
        }));

        Assert.InRange(most, 1, 2);
    }

    [Fact]
    public void OneThatIsTooLargeForItGoesAlone() =>
        Assert.Equal(5, new PixelBudget(10).Run(1000, () => 5));

    [Fact]
    public void AFailureGivesItsPixelsBack()
    {
        var budget = new PixelBudget(10);
        for (var i = 0; i < 3; i++)
            Assert.Throws<InvalidDataException>(() => budget.Run<int>(10, () => throw new InvalidDataException()));
        Assert.Equal(1, budget.Run(10, () => 1));
    }
}
