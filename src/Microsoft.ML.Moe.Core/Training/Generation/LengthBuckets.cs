namespace Microsoft.ML.Moe.Training;

/// <summary>Orders examples so that those of a batch are of similar length.</summary>
internal static class LengthBuckets
{
    /// <summary>Batches whose examples are sorted together: over a longer stretch, batches would be the same in every epoch.</summary>
    private const int BatchesOfStretch = 64;

    /// <summary>
    /// Sorts each stretch of a random order by length, and shuffles the batches. A batch that is not full stays the last one, so that the
    /// others are what a loop cuts out of the order.
    /// </summary>
    /// <param name="order">Numbers of examples, in random order.</param>
    /// <param name="batchSize">Examples of a batch.</param>
    /// <param name="lengthOf">Length of an example.</param>
    /// <param name="random">Random numbers.</param>
    public static void Arrange(Span<int> order, int batchSize, Func<int, int> lengthOf, Random random)
    {
        var stretch = (long)BatchesOfStretch * batchSize;
        for (var start = 0L; start < order.Length; start += stretch)
        {
            var part = order.Slice((int)start, (int)Math.Min(stretch, order.Length - start));
            // one that is not a whole number of batches begins with the rest, which then is moved to the end
            int[] sorted = [.. part.ToArray().OrderBy(lengthOf)];
            var batches = sorted.Length / batchSize;
            var rest = sorted.Length - batches * batchSize;
            var places = Enumerable.Range(0, batches).ToArray();
            random.Shuffle(places);
            for (var i = 0; i < batches; i++)
                sorted.AsSpan(rest + places[i] * batchSize, batchSize).CopyTo(part[(i * batchSize)..]);
            sorted.AsSpan(0, rest).CopyTo(part[(batches * batchSize)..]);
        }
    }
}
