using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Tests.Tensors;

public class BlockPoolTests
{
    private const long Large = 1 << 22;
    private const long LargeBytes = Large * sizeof(float);
    private const long Small = 1 << 18;
    private const long SmallBytes = Small * sizeof(float);

    [Fact]
    public void BlocksThatAreUsedAgainAndAgainStay()
    {
        var pool = new BlockPool();
        var block = pool.Take(Large);
        for (var i = 0; i < 3 * BlockPool.ReleasesKept; i++)
        {
            pool.Release([block]);
            Assert.Same(block, pool.Take(Large - 5));
        }

        Assert.Equal(LargeBytes, pool.Bytes);
    }

    [Fact]
    public void BlocksThatNobodyUsesForLongAreDropped()
    {
        var pool = new BlockPool();
        pool.Release([pool.Take(Large), pool.Take(Large), pool.Take(Small)]);

        for (var i = 0; i < BlockPool.ReleasesKept; i++)
            pool.Release([pool.Take(Small)]);
        Assert.Equal(2 * LargeBytes + SmallBytes, pool.Bytes);

        pool.Release([pool.Take(Small)]);
        Assert.Equal(SmallBytes, pool.Bytes);
        Assert.Equal(2 * LargeBytes + SmallBytes, pool.PeakBytes);
    }

    [Fact]
    public void OfSeveralBlocksOnlyThoseThatAreNeededStay()
    {
        var pool = new BlockPool();
        pool.Release([pool.Take(Large), pool.Take(Large), pool.Take(Large)]);

        for (var i = 0; i <= BlockPool.ReleasesKept; i++)
            pool.Release([pool.Take(Large), pool.Take(Large)]);

        Assert.Equal(2 * LargeBytes, pool.Bytes);
    }

    [Fact]
    public void LessIsTakenFromALargerFreeBlockUnlessThatIsMuchLarger()
    {
        var pool = new BlockPool();
        var (larger, muchLarger) = (pool.Take(BlockPool.LargestRatio * Small), pool.Take(2 * BlockPool.LargestRatio * Small));
        pool.Release([larger, muchLarger]);
        var bytes = pool.Bytes;

        Assert.Same(larger, pool.Take(Small));
        Assert.Equal(bytes, pool.Bytes);
        Assert.Equal(Small, pool.Take(Small).Length);
        Assert.Equal(bytes + SmallBytes, pool.Bytes);
    }

    [Fact]
    public void ClosedPoolHoldsNothing()
    {
        var pool = new BlockPool();
        var late = pool.Take(Small);
        pool.Release([pool.Take(Large)]);
        pool.Close();
        pool.Release([late]);
        Assert.Equal(0, pool.Bytes);
    }

    [Fact]
    public void EngineTellsThePeakOfItsTapes()
    {
        using var engine = new ManagedEngine(1);
        Assert.Equal(0, engine.PeakMemory);
        for (var i = 0; i < 3; i++)
        {
            using var tape = engine.BeginTape(training: false);
            tape.Constant(new float[Large], (int)Large);
        }

        Assert.Equal(LargeBytes, engine.PeakMemory);
    }
}
