using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Tensors;

public abstract partial class OperationTests
{
    [SkippableTheory]
    [InlineData(1, 1)]
    [InlineData(5, 7)]
    [InlineData(3, 67)]
    public void NormalizeEqualsALoop(int rows, int columns)
    {
        using var engine = CreateEngine();
        var x = Input.Random(1, rows, columns);
        x.Values.AsSpan(0, columns).Clear();
        var expected = new double[rows * columns];
        for (var row = 1; row < rows; row++)
        {
            var norm = Math.Sqrt(x.Values.Skip(row * columns).Take(columns).Sum(value => (double)value * value));
            for (var i = row * columns; i < (row + 1) * columns; i++)
                expected[i] = x.Values[i] / norm;
        }

        TestNumbers.AssertClose(expected, Forward(engine, (tape, p) => tape.Normalize(p[0]), x), 1e-6);
        Assert.Empty(Forward(engine, (tape, p) => tape.Normalize(p[0]), new Input([0, 3], [])));
    }

    [SkippableFact]
    public void NormalizeGradients()
    {
        using var engine = CreateEngine();
        foreach (var (rows, columns) in new[] { (2, 2), (4, 19) })
        {
            var x = new Input([rows, columns], TestNumbers.Spaced(1, rows * columns, 0.5f));
            GradientCheck.Run(engine, (tape, p) => tape.Normalize(p[0]), [x], tolerance: 5e-4);
            GradientCheck.Run(engine, (tape, p) => tape.Add(tape.Normalize(p[0]), tape.Scale(p[0], 0.1f)), [x], tolerance: 5e-4);
        }
    }

    [SkippableTheory]
    [InlineData(1, 1, 1)]
    [InlineData(4, 6, 5)]
    [InlineData(70, 35, 33)]
    public void MultiplyTransposedEqualsALoop(int rows, int columns, int depth)
    {
        using var engine = CreateEngine();
        var (x, y) = (Input.Random(1, rows, depth), Input.Random(2, columns, depth));
        var expected = new double[rows * columns];
        for (var i = 0; i < expected.Length; i++)
        {
            for (var k = 0; k < depth; k++)
                expected[i] += (double)x.Values[i / columns * depth + k] * y.Values[i % columns * depth + k];
        }

        TestNumbers.AssertClose(expected, Forward(engine, (tape, p) => tape.MultiplyTransposed(p[0], p[1]), x, y));
    }

    [SkippableFact]
    public void MultiplyTransposedGradients()
    {
        using var engine = CreateEngine();
        Input[] inputs = [new([3, 4], TestNumbers.Normal(1, 12, 0.7f)), new([5, 4], TestNumbers.Normal(2, 20, 0.7f))];
        GradientCheck.Run(engine, (tape, p) => tape.MultiplyTransposed(p[0], p[1]), inputs);
        GradientCheck.Run(engine, (tape, p) => tape.MultiplyTransposed(p[0], p[0]), inputs[..1]);
        GradientCheck.Run(engine, (tape, p) => tape.MultiplyTransposed(tape.Constant([1f, 2f, 3f, 4f], 1, 4), p[0]), inputs[..1]);
    }

    [SkippableFact]
    public void MultiplyTransposedOfNothingAndOfWhatDoesNotFit()
    {
        using var engine = CreateEngine();
        var (none, two) = (new Input([0, 3], []), Input.Random(1, 2, 3));
        Assert.Empty(Forward(engine, (tape, p) => tape.MultiplyTransposed(p[0], p[1]), none, two));
        Assert.Empty(Forward(engine, (tape, p) => tape.MultiplyTransposed(p[0], p[1]), two, none));
        using var tape = engine.BeginTape(training: false);
        var x = tape.Constant(new float[6], 2, 3);
        var error = Assert.Throws<ArgumentException>(() => tape.MultiplyTransposed(x, tape.Constant(new float[4], 2, 2)));
        Assert.Contains("yBD", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => tape.MultiplyTransposed(tape.Constant([], 2, 0), tape.Constant([], 1, 0)));
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void SupervisedContrastEqualsALoop(bool weighted)
    {
        using var engine = CreateEngine();
        const int Width = 5;
        const double Temperature = 0.3;
        int[] classes = [7, 2, 7, 7, 0, 2, 9];
        float[] weights = weighted ? [1f, 0f, 2f, 0.5f, 3f, 1f, 1f] : [];
        var x = Input.Random(3, classes.Length, Width);
        double Similarity(int a, int b)
        {
            double Dot(int i, int j) => Enumerable.Range(0, Width).Sum(k => (double)x.Values[i * Width + k] * x.Values[j * Width + k]);
            return Dot(a, b) / Math.Sqrt(Dot(a, a) * Dot(b, b)) / Temperature;
        }

        var (sum, weightSum) = (0.0, 0.0);
        for (var anchor = 0; anchor < classes.Length; anchor++)
        {
            var others = Enumerable.Range(0, classes.Length).Where(i => i != anchor).ToArray();
            var positives = others.Where(i => classes[i] == classes[anchor]).ToArray();
            if (positives.Length == 0)
                continue;
            var logSum = Math.Log(others.Sum(i => Math.Exp(Similarity(anchor, i))));
            var weight = weighted ? weights[anchor] : 1f;
            sum += weight * positives.Average(i => logSum - Similarity(anchor, i));
            weightSum += weight;
        }

        Tensor Loss(Tape tape, Tensor[] p) => SupervisedContrast.Loss(tape, p[0], classes, (float)Temperature, weights);
        TestNumbers.AssertClose([sum / weightSum], Forward(engine, Loss, x));
        GradientCheck.Run(engine, Loss, [x], tolerance: 5e-4);
    }

    [SkippableFact]
    public void ContrastWithoutPositivesIsZeroAndMovesNothing()
    {
        using var engine = CreateEngine();
        var x = Input.Random(1, 3, 4);
        Assert.Equal([0f], Forward(engine, (tape, p) => SupervisedContrast.Loss(tape, p[0], [0, 1, 2], 0.1f), x));
        Assert.Equal([0f], Forward(engine, (tape, p) => SupervisedContrast.Loss(tape, p[0], [0, 0, 2], 0.1f, [0f, 0f, 1f]), x));
        var embeddings = engine.CreateParameter("x", x.Shape, x.Values).Value;
        using (var tape = engine.BeginTape(training: true))
            tape.Backward(SupervisedContrast.Loss(tape, embeddings, [0, 1, 2], 0.1f));
        var gradient = new float[12];
        embeddings.CopyGradientTo(gradient);
        Assert.All(gradient, value => Assert.Equal(0f, value));
        using var other = engine.BeginTape(training: false);
        Assert.Throws<ArgumentOutOfRangeException>(() => SupervisedContrast.Loss(other, embeddings, [0, 1, 2], 0f));
        Assert.Throws<ArgumentException>(() => SupervisedContrast.Loss(other, embeddings, [0, 1], 0.1f));
    }
}
