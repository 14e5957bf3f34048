using Microsoft.ML.Moe.LinearModels;

namespace Microsoft.ML.Moe.Tests.LinearModels;

public sealed class EqualColumnsTests
{
    private const int Classes = 5;
    private const int Different = 30;
    private const int Columns = 90;
    private static readonly int Stride = Gather.Stride(Classes);

    [Fact]
    public void EqualColumnsStandAsOne()
    {
        var (x, _, _) = Example(1);
        Assert.Equal(Different, new EqualColumns(x, Columns - 1).Rows.Columns);
        Assert.Equal(Columns, new EqualColumns(x, 0).Rows.Columns);
    }

    [Fact]
    public void ScoresAndPenaltiesStayTheSame()
    {
        var (x, _, _) = Example(2);
        var columns = new EqualColumns(x, Columns - 1);
        float[] joined = [.. Enumerable.Range(0, Different * Stride).Select(i => MathF.Sin(i))];

        var split = columns.Split(joined, Stride);

        Assert.Equal(joined.Sum(w => (double)w * w), split.Sum(w => (double)w * w), 1e-3);
        for (var i = 0; i < x.Count; i++)
            Assert.All(Scores(columns.Rows, joined, i).Zip(Scores(x, split, i)), pair => Assert.Equal(pair.First, pair.Second, 1e-4f));
        Assert.All(joined.Zip(columns.Join(split, Stride)), pair => Assert.Equal(pair.First, pair.Second, 1e-5f));
    }

    [Fact]
    public void TheMinimumIsTheSame()
    {
        var (x, labels, weights) = Example(3);
        var columns = new EqualColumns(x, Columns - 1);

        var (ofAll, all) = Minimise(x, labels, weights);
        var (ofFew, few) = Minimise(columns.Rows, labels, weights);

        Assert.Equal(ofAll, ofFew, 1e-6);
        Assert.All(all.Zip(columns.Split(few, Stride)), pair => Assert.Equal(pair.First, pair.Second, 2e-3f));
    }

    /// <summary>Rows whose columns, but the last, are repeated.</summary>
    private static (SparseRows X, int[] Labels, float[] Weights) Example(int seed)
    {
        var (x, labels, weights) = Rows.Random(200, Different, Classes, seed);
        var random = new Random(seed);
        int[] chosen =
        [
            .. Enumerable.Range(0, Different - 1),
            .. Enumerable.Range(0, Columns - Different).Select(_ => random.Next(Different - 1)),
            Different - 1,
        ];
        return (x.Transpose().Select(chosen).Transpose(), labels, weights);
    }

    private static float[] Scores(SparseRows rows, float[] weights, int row)
    {
        var scores = new float[Stride];
        Gather.Add(weights, rows.IndicesOf(row), rows.ValuesOf(row), scores);
        return scores;
    }

    private static (double Value, float[] Weights) Minimise(SparseRows x, int[] labels, float[] weights)
    {
        var objective = new SoftmaxRegression(x, labels, weights, Classes, [.. Enumerable.Repeat(0.02f, x.Columns)], 1);
        var w = new float[objective.Length];
        return (new NewtonMethod(objective).Descend(w, 1e-4), w);
    }
}
