using Microsoft.ML.Moe.LinearModels;
using Xunit;

namespace Microsoft.ML.Moe.Tests.LinearModels;

public class SoftmaxRegressionTests
{
    private const int Columns = 9;

    [Theory]
    [InlineData(2)]
    [InlineData(6)]
    [InlineData(41)]
    public void Gradient_AgreesWithFiniteDifferences(int classes)
    {
        var (objective, w, stride) = Create(classes, threads: 1);
        var gradient = new float[w.Length];
        objective.Evaluate(w, gradient);
        const float Step = 1e-2f;
        for (var v = 0; v < Columns; v++)
            for (var c = 0; c < classes; c += 5)
            {
                var slope = (At(v * stride + c, Step) - At(v * stride + c, -Step)) / (2 * Step);
                Assert.Equal(slope, gradient[v * stride + c], 5e-5);
            }

        double At(int place, float step)
        {
            var moved = w.ToArray();
            moved[place] += step;
            return objective.Evaluate(moved, null);
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(9)]
    public void Curve_AgreesWithFiniteDifferencesOfTheGradient(int classes)
    {
        var (objective, w, stride) = Create(classes, threads: 1);
        var random = new Random(3);
        var direction = new float[w.Length];
        for (var v = 0; v < Columns; v++)
            for (var c = 0; c < classes; c++)
                direction[v * stride + c] = random.NextSingle() - 0.5f;
        const float Step = 1e-2f;
        var (above, below, here, product) = (new float[w.Length], new float[w.Length], new float[w.Length], new float[w.Length]);
        objective.Evaluate([.. w.Zip(direction, (x, d) => x + Step * d)], above);
        objective.Evaluate([.. w.Zip(direction, (x, d) => x - Step * d)], below);
        objective.Evaluate(w, here);
        objective.Curve(w, direction, product);
        for (var i = 0; i < w.Length; i++)
            Assert.Equal((above[i] - below[i]) / (2 * Step), product[i], 1e-4f);
    }

    [Fact]
    public void Diagonal_IsThatOfTheCurve()
    {
        var (objective, w, stride) = Create(3, threads: 1);
        var (diagonal, product) = (new float[w.Length], new float[w.Length]);
        objective.Evaluate(w, new float[w.Length]);
        objective.Diagonal(w, diagonal);
        for (var v = 0; v < Columns; v++)
            for (var c = 0; c < 3; c++)
            {
                var unit = new float[w.Length];
                unit[v * stride + c] = 1;
                objective.Curve(w, unit, product);
                Assert.Equal(product[v * stride + c], diagonal[v * stride + c], 1e-5f);
            }
    }

    [Fact]
    public void Parts_AndProbabilitiesComputedAgain_ChangeNothing()
    {
        var (whole, w, _) = Create(3, threads: 1);
        var (parts, _, _) = Create(3, threads: 2, partValues: 64 * 4, keptValues: 0);
        var (g1, g2, c1, c2, d1, d2) = (Empty(), Empty(), Empty(), Empty(), Empty(), Empty());
        Assert.Equal(whole.Evaluate(w, g1), parts.Evaluate(w, g2), 6);
        whole.Curve(w, w, c1);
        parts.Curve(w, w, c2);
        whole.Diagonal(w, d1);
        parts.Diagonal(w, d2);
        Near(g1, g2);
        Near(c1, c2);
        Near(d1, d2);

        float[] Empty() => new float[w.Length];

        static void Near(float[] x, float[] y)
        {
            for (var i = 0; i < x.Length; i++)
                Assert.Equal(x[i], y[i], 1e-5f);
        }
    }

    [Fact]
    public void AWeightOfTwo_IsARowTwice()
    {
        var (x, labels, _) = Rows.Random(10, Columns, 3, 5);
        float[] twice = [2, .. Enumerable.Repeat(1f, 9)];
        var doubled = x.Select([0, .. Enumerable.Range(0, 10)]);
        var penalties = Penalties();
        var weighted = new SoftmaxRegression(x, labels, twice, 3, penalties, 1);
        var repeated = new SoftmaxRegression(doubled, [labels[0], .. labels], Enumerable.Repeat(1f, 11).ToArray(), 3, penalties, 1);
        var w = Start(weighted.Length, 4, 3);
        Assert.Equal(repeated.Evaluate(w, null), weighted.Evaluate(w, null), 6);
    }

    internal static float[] Penalties() => [.. Enumerable.Range(0, Columns).Select(v => 0.01f * (v + 1))];

    private static (SoftmaxRegression Objective, float[] W, int Stride) Create(
        int classes, int threads, int partValues = SoftmaxRegression.MostPartValues, long keptValues = SoftmaxRegression.MostKeptValues)
    {
        var (x, labels, weights) = Rows.Random(200, Columns, classes, 1);
        var objective = new SoftmaxRegression(x, labels, weights, classes, Penalties(), threads, partValues, keptValues);
        var stride = Gather.Stride(classes);
        return (objective, Start(objective.Length, stride, classes), stride);
    }

    private static float[] Start(int length, int stride, int classes)
    {
        var random = new Random(2);
        return [.. Enumerable.Range(0, length).Select(i => i % stride < classes ? random.NextSingle() - 0.5f : 0f)];
    }
}
