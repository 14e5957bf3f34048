using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Tensors;

public abstract partial class OperationTests
{
    [SkippableFact]
    public void EmbeddingTakesRows()
    {
        using var engine = CreateEngine();
        var table = new Input([3, 2], [0, 1, 10, 11, 20, 21]);
        Assert.Equal([20f, 21, 0, 1, 20, 21], Forward(engine, (tape, p) => tape.Embedding(p[0], [2, 0, 2]), table));
        Assert.Empty(Forward(engine, (tape, p) => tape.Embedding(p[0], []), table));
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void EmbeddingGradients(bool sparseRows)
    {
        using var engine = CreateEngine();
        var table = new Input([5, 3], TestNumbers.Normal(1, 15), sparseRows);
        GradientCheck.Run(engine, (tape, p) => tape.Embedding(p[0], [4, 1, 4, 4, 0]), [table]);
        GradientCheck.Run(engine, (tape, p) => tape.Add(tape.Embedding(p[0], [4, 1]), tape.Embedding(p[0], [1, 2])), [table]);
        GradientCheck.Run(engine, (tape, p) => tape.Embedding(p[0], []), [table]);
    }

    [SkippableTheory]
    [InlineData(1)]
    [InlineData(17)]
    public void EmbeddingBagSumsRows(int width)
    {
        using var engine = CreateEngine();
        var table = Input.Random(1, 7, width);
        var bags = new RaggedIndices([0, 2, 2, 5, 6], [3, 3, 0, 6, 1, 2], [0.5f, 2f, 1f, -1f, 3f, 0f]);
        var expected = new double[4 * width];
        int[] bagOfEntry = [0, 0, 2, 2, 2, 3];
        int[] rows = [3, 3, 0, 6, 1, 2];
        float[] weights = [0.5f, 2f, 1f, -1f, 3f, 0f];
        for (var i = 0; i < rows.Length; i++)
        {
            for (var c = 0; c < width; c++)
                expected[bagOfEntry[i] * width + c] += (double)weights[i] * table.Values[rows[i] * width + c];
        }

        TestNumbers.AssertClose(expected, Forward(engine, (tape, p) => tape.EmbeddingBag(p[0], bags), table));
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void EmbeddingBagGradients(bool sparseRows)
    {
        using var engine = CreateEngine();
        var table = new Input([7, 3], TestNumbers.Normal(1, 21), sparseRows);
        var bags = new RaggedIndices([0, 2, 2, 5, 6], [3, 3, 0, 6, 1, 2], [0.5f, 2f, 1f, -1f, 3f, 0f]);
        GradientCheck.Run(engine, (tape, p) => tape.EmbeddingBag(p[0], bags), [table]);
        GradientCheck.Run(engine, (tape, p) => tape.EmbeddingBag(p[0], new RaggedIndices([0, 0], [], [])), [table]);
        GradientCheck.Run(
            engine,
            (tape, p) => tape.Add(tape.EmbeddingBag(p[0], bags), tape.Embedding(p[0], [0, 1, 5, 0])),
            [table]);
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void EmbeddingBagWithFactorsSumsRowsAndHasGradients(bool sparseRows)
    {
        using var engine = CreateEngine();
        var table = new Input([7, 3], TestNumbers.Normal(1, 21), sparseRows);
        var factors = Input.Random(2, 6);
        int[] rows = [3, 3, 0, 6, 1, 2];
        float[] weights = [0.5f, 2f, 1f, -1f, 3f, 0f];
        var bags = new RaggedIndices([0, 2, 2, 5, 6], rows, weights);
        float[] products = [.. weights.Zip(factors.Values, (weight, factor) => weight * factor)];
        var expected = Forward(engine, (tape, p) => tape.EmbeddingBag(p[0], new RaggedIndices([0, 2, 2, 5, 6], rows, products)), table);

        TestNumbers.AssertClose(
            [.. expected.Select(value => (double)value)], Forward(engine, (tape, p) => tape.EmbeddingBag(p[0], bags, p[1]), table, factors));
        GradientCheck.Run(engine, (tape, p) => tape.EmbeddingBag(p[0], bags, p[1]), [table, factors]);
        using var tape = engine.BeginTape(training: false);
        Assert.Throws<ArgumentException>(() => tape.EmbeddingBag(tape.Constant(new float[21], 7, 3), bags, tape.Constant(new float[5], 5)));
    }

    [SkippableFact]
    public void SparseTableAlsoServesOtherOperations()
    {
        using var engine = CreateEngine();
        GradientCheck.Run(
            engine,
            (tape, p) => tape.Linear(tape.Embedding(p[0], [4, 1, 4]), p[0]),
            [new Input([5, 5], TestNumbers.Normal(1, 25), SparseRows: true)]);
    }

    [SkippableFact]
    public void EmbeddingRejectsRowsOutOfRange()
    {
        using var engine = CreateEngine();
        using var tape = engine.BeginTape(training: false);
        var table = tape.Constant(new float[6], 3, 2);
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.Embedding(table, [0, 3]));
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.Embedding(table, [-1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => tape.EmbeddingBag(table, new RaggedIndices([0, 1], [3], [1f])));
        Assert.Throws<ArgumentException>(() => tape.EmbeddingBag(table, new RaggedIndices([0, 2, 1, 3], [0, 1, 2], [1f, 1f, 1f])));
        Assert.Throws<ArgumentException>(() => tape.Embedding(tape.Constant(new float[6], 6), [0]));
    }
}
