using Microsoft.ML.Moe.LinearModels;

namespace Microsoft.ML.Moe.Tests.LinearModels;

/// <summary>Rows of which all values are given do what sparse rows do.</summary>
public class DenseRowsTests
{
    private const int Columns = 37;
    private const int Count = 70;

    private static readonly float[] Values = [.. Enumerable.Range(0, Columns * Count).Select(i => MathF.Sin(i + 1))];
    private static readonly SparseRows Dense = SparseRows.Dense(Columns, Values);
    private static readonly SparseRows Sparse = new(
        Columns,
        [.. Enumerable.Range(0, Count + 1).Select(row => row * Columns)],
        [.. Enumerable.Range(0, Columns * Count).Select(i => i % Columns)],
        Values);

    [Fact]
    public void RowsAreTheSame() => AssertSame(Sparse, Dense);

    [Fact]
    public void SoAreSomeOfThemAndTheirColumns()
    {
        int[] some = [5, 69, 5, 0];
        AssertSame(Sparse.Select(some), Dense.Select(some));
        AssertSame(Sparse.Transpose(), Dense.Transpose());
        AssertSame(Sparse.Select(some).Transpose(), Dense.Select(some).Transpose());
        AssertSame(Dense, Dense.Transpose().Transpose());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void RegressionsAreTheSame(int threads)
    {
        var random = new Random(3);
        int[] labels = [.. Enumerable.Range(0, Count).Select(_ => random.Next(3))];
        float[] weights = [.. Enumerable.Range(0, Count).Select(_ => random.NextSingle() + 0.5f)];
        float[] penalties = [.. Enumerable.Repeat(0.01f, Columns)];
        // some in parts, which are selected
        var (sparse, dense) = (Of(Sparse), Of(Dense));
        float[] w = [.. Enumerable.Range(0, sparse.Length).Select(i => i % Gather.Stride(3) < 3 ? random.NextSingle() - 0.5f : 0f)];
        var (g1, g2, c1, c2) = (new float[w.Length], new float[w.Length], new float[w.Length], new float[w.Length]);

        Assert.Equal(sparse.Evaluate(w, g1), dense.Evaluate(w, g2));
        sparse.Curve(w, w, c1);
        dense.Curve(w, w, c2);

        Assert.Equal(g1, g2);
        Assert.Equal(c1, c2);

        SoftmaxRegression Of(SparseRows x) => new(x, labels, weights, 3, penalties, threads, partValues: 64 * 4);
    }

    private static void AssertSame(SparseRows expected, SparseRows actual)
    {
        Assert.Equal((expected.Columns, expected.Count, expected.Values), (actual.Columns, actual.Count, actual.Values));
        Assert.Equal(expected.Offsets, actual.Offsets);
        for (var row = 0; row < expected.Count; row++)
        {
            Assert.Equal(expected.IndicesOf(row), actual.IndicesOf(row));
            Assert.Equal(expected.ValuesOf(row), actual.ValuesOf(row));
        }
    }
}
