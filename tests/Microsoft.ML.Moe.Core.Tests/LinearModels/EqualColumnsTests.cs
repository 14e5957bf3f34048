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

        var split = Split(columns, joined);

        Assert.Equal(joined.Sum(w => (double)w * w), split.Sum(w => (double)w * w), 1e-3);
        for (var i = 0; i < x.Count; i++)
            Assert.All(Scores(columns.Rows, joined, i).Zip(Scores(x, split, i)), pair => Assert.Equal(pair.First, pair.Second, 1e-4f));
    }

    [Fact]
    public void TheMinimumIsTheSame()
    {
        var (x, labels, weights) = Example(3);
        var columns = new EqualColumns(x, Columns - 1);

        var (ofAll, all) = Minimise(x, labels, weights);
        var (ofFew, few) = Minimise(columns.Rows, labels, weights);

        Assert.Equal(ofAll, ofFew, 1e-6);
        Assert.All(all.Zip(Split(columns, few)), pair => Assert.Equal(pair.First, pair.Second, 2e-3f));
    }

    /// <summary>A fit that begins at its end has nothing to do.</summary>
    [Fact]
    public void WeightsThatWereSplitAreJoined()
    {
        var fit = new LinearFit(3, 1);
        var examples = LinearModels.Rows.Topics(60, 1);
        var model = fit.Fit(examples, 10);
        var columns = new EqualColumns(model.Features.Transform(examples.Rows), model.Features.Index.Count);

        var joined = columns.Join(model, model.Features);

        Assert.Equal(columns.Rows.Columns * Gather.Stride(3), model.Weights.Length);
        Assert.All(columns.Split(joined, Gather.Stride(3)).Zip(model.Weights.ToArray()), pair => Assert.Equal(pair.First, pair.Second, 1e-5f));
    }

    private static float[] Split(EqualColumns columns, float[] weights)
    {
        var few = columns.Split(weights, Stride);
        return [.. columns.Places.SelectMany(place => few[(place * Stride)..((place + 1) * Stride)])];
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
