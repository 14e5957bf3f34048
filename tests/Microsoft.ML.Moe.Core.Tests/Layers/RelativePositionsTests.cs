using Microsoft.ML.Moe.Layers;

namespace Microsoft.ML.Moe.Tests.Layers;

/// <summary>T5's buckets of relative positions.</summary>
public class RelativePositionsTests
{
    [Fact]
    public void BucketsGrowWithTheLogarithmOfTheDistance()
    {
        // the first distance of each bucket, of 16 on each side
        int[] firsts = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91];
        for (var distance = 0; distance <= 1000; distance++)
        {
            var bucket = Array.FindLastIndex(firsts, first => first <= distance);
            Assert.Equal(bucket, RelativePositions.BucketOf(-distance, 32));
            Assert.Equal(distance == 0 ? 0 : 16 + bucket, RelativePositions.BucketOf(distance, 32));
        }
    }

    [Fact]
    public void ADecodersBucketsAreAllForWhatIsBehind()
    {
        // the first distance of each bucket from 16 on; before, each distance has its own
        int[] firsts = [.. Enumerable.Range(0, 17), 19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113];
        for (var distance = 0; distance <= 1000; distance++)
        {
            Assert.Equal(Array.FindLastIndex(firsts, first => first <= distance), RelativePositions.CausalBucketOf(-distance, 32));
            Assert.Equal(0, RelativePositions.CausalBucketOf(distance, 32));
        }
    }

    [Fact]
    public void DistancesFromTheFurthestOnShareTheLastBucket()
    {
        Assert.Equal(14, RelativePositions.CausalBucketOf(-17, 16, furthest: 20));
        Assert.All(Enumerable.Range(20, 50), distance => Assert.Equal(15, RelativePositions.CausalBucketOf(-distance, 16, furthest: 20)));
        Assert.All(Enumerable.Range(20, 50), distance => Assert.Equal(7, RelativePositions.BucketOf(-distance, 16, furthest: 20)));
    }
}
