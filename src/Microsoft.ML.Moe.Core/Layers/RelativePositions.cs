namespace Microsoft.ML.Moe.Layers;

/// <summary>Relative positions as T5 learns them (Raffel et al. 2020, "Exploring the limits of transfer learning", section 2.1).</summary>
internal static class RelativePositions
{
    /// <summary>Distances from here on share the last bucket, unless a model says otherwise.</summary>
    public const int Furthest = 128;

    /// <summary>
    /// Bucket of a distance, where queries see keys on both sides: one half of the buckets for keys up to the query, the other for those
    /// ahead. In each half the first half is for single distances, and the rest grow with the logarithm.
    /// </summary>
    /// <param name="distance">Position of the key minus that of the query.</param>
    /// <param name="buckets">Number of buckets, at least 4.</param>
    /// <param name="furthest">Distances from here on share the last bucket; over a quarter of the buckets.</param>
    public static int BucketOf(int distance, int buckets, int furthest = Furthest)
    {
        var half = buckets / 2;
        return (distance > 0 ? half : 0) + Bucket(Math.Abs(distance), half, furthest);
    }

    /// <summary>Bucket of a distance, where queries see only keys up to themselves: all buckets are for those.</summary>
    /// <param name="distance">Position of the key minus that of the query; of keys ahead all are as 0.</param>
    /// <param name="buckets">Number of buckets, at least 2.</param>
    /// <param name="furthest">Distances from here on share the last bucket; over half of the buckets.</param>
    public static int CausalBucketOf(int distance, int buckets, int furthest = Furthest) =>
        Bucket(Math.Max(0, -distance), buckets, furthest);

    private static int Bucket(int magnitude, int buckets, int furthest)
    {
        var single = buckets / 2;
        if (magnitude < single)
            return magnitude;
        // as the original divides, in single precision: 16, 32 and 64 lie exactly on a bucket's edge
        var share = MathF.Log(magnitude / (float)single) / (float)Math.Log(furthest / (double)single);
        return Math.Min(buckets - 1, single + (int)(share * (buckets - single)));
    }
}
