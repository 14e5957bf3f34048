namespace Microsoft.ML.Moe.Layers;

/// <summary>Relative positions as T5 learns them (Raffel et al. 2020, "Exploring the limits of transfer learning", section 2.1).</summary>
internal static class RelativePositions
{
    /// <summary>Distances from here on share the last bucket.</summary>
    private const int Furthest = 128;

    /// <summary>
    /// Bucket of a distance, where queries see keys on both sides: one half of the buckets for keys up to the query, the other for those
    /// ahead. In each half the first half is for single distances, and the rest grow with the logarithm.
    /// </summary>
    /// <param name="distance">Position of the key minus that of the query.</param>
    /// <param name="buckets">Number of buckets, at least 4.</param>
    public static int BucketOf(int distance, int buckets)
    {
        var half = buckets / 2;
        var first = distance > 0 ? half : 0;
        var magnitude = Math.Abs(distance);
        var single = half / 2;
        if (magnitude < single)
            return first + magnitude;
        // as the original divides, in single precision: 16, 32 and 64 lie exactly on a bucket's edge
        var share = MathF.Log(magnitude / (float)single) / (float)Math.Log(Furthest / (double)single);
        return first + Math.Min(half - 1, single + (int)(share * (half - single)));
    }
}
