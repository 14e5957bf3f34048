namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Comparisons with goldens, and matrices as other programs store them.</summary>
internal static class GoldenNumbers
{
    /// <summary>Of the largest entry.</summary>
    private const double Tolerance = 1e-4;

    /// <summary>Where all numbers are almost nothing.</summary>
    private const double Least = 1e-7;

    /// <summary>Equal up to 1e-4 of the largest entry and <paramref name="more"/>, where <paramref name="isCompared"/>.</summary>
    public static void Close(float[] expected, float[] actual, string what, Func<int, bool>? isCompared = null, double more = 0)
    {
        Assert.True(expected.Length == actual.Length, $"{what}: {actual.Length} numbers, not {expected.Length}");
        var allowed = Tolerance * expected.Max(Math.Abs) + Least + more;
        for (var i = 0; i < expected.Length; i++)
            if (isCompared?.Invoke(i) ?? true)
                Assert.True(Math.Abs(expected[i] - actual[i]) <= allowed, $"{what}[{i}]: {actual[i]}, not {expected[i]}");
    }

    /// <summary>A scalar, up to 1e-4 of it or of the numbers that it is a difference of.</summary>
    public static void Close(double expected, double actual, double largest, string what) => Assert.True(
        Math.Abs(expected - actual) <= Tolerance * Math.Max(largest, Math.Abs(expected)) + Least, $"{what}: {actual}, not {expected}");

    /// <summary>Largest difference.</summary>
    public static double LargestDifference(float[] x, float[] y, Func<int, bool>? isCompared = null) =>
        Enumerable.Range(0, x.Length).Where(i => isCompared?.Invoke(i) ?? true).Max(i => (double)Math.Abs(x[i] - y[i]));

    /// <summary>[rows, columns] → [columns, rows].</summary>
    public static float[] Transposed(float[] values, int columns)
    {
        var rows = values.Length / columns;
        var result = new float[values.Length];
        for (var row = 0; row < rows; row++)
            for (var column = 0; column < columns; column++)
                result[column * rows + row] = values[row * columns + column];
        return result;
    }

    /// <summary>The transpose of a tensor that is a matrix; null where there is no such tensor.</summary>
    public static float[]? TransposedOrNull(this GoldenModel golden, string name) =>
        golden.Tensor(name) is var (values, shape) ? Transposed(values, shape[1]) : null;

    /// <summary>The experts of each token as a set, with their weights.</summary>
    public static Dictionary<int, float>[] ByToken(float[] chosen, float[] weights, int tokens)
    {
        var k = chosen.Length / tokens;
        return [.. Enumerable.Range(0, tokens).Select(t =>
            Enumerable.Range(t * k, k).ToDictionary(i => (int)chosen[i], i => weights[i]))];
    }
}
