namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>Numbers for tests, the same on every machine.</summary>
internal static class TestNumbers
{
    public static int Product(ReadOnlySpan<int> shape)
    {
        var product = 1;
        foreach (var size in shape)
            product *= size;
        return product;
    }

    /// <summary>Normal numbers of the given spread.</summary>
    public static float[] Normal(int seed, int count, float spread = 1f)
    {
        var random = new Random(seed);
        var values = new float[count];
        for (var i = 0; i < count; i++)
        {
            var radius = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
            values[i] = (float)(spread * radius * Math.Cos(2 * Math.PI * random.NextDouble()));
        }

        return values;
    }

    /// <summary>Different numbers around 0 in random order, at least <paramref name="gap"/> apart and off 0.</summary>
    public static float[] Spaced(int seed, int count, float gap)
    {
        var values = Enumerable.Range(0, count).Select(i => (i - count / 2 + 0.5f) * gap).ToArray();
        new Random(seed).Shuffle(values);
        return values;
    }

    /// <summary>Whole numbers within [0, limit).</summary>
    public static int[] Indices(int seed, int count, int limit)
    {
        var random = new Random(seed);
        return Enumerable.Range(0, count).Select(_ => random.Next(limit)).ToArray();
    }

    public static void AssertClose(ReadOnlySpan<double> expected, ReadOnlySpan<float> actual, double tolerance = 1e-5)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            var allowed = tolerance * Math.Max(1, Math.Abs(expected[i]));
            Assert.True(Math.Abs(expected[i] - actual[i]) <= allowed, $"Element {i}: expected {expected[i]}, got {actual[i]}.");
        }
    }
}
