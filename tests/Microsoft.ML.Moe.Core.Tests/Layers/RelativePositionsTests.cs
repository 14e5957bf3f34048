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
}
