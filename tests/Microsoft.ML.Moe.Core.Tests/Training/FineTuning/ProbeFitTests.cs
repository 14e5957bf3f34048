using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>Layers that are fitted to what an encoder makes of rows.</summary>
public sealed class ProbeFitTests : IDisposable
{
    private const int Width = 6;
    private readonly ManagedEngine _engine = new(2);

    public void Dispose() => _engine.Dispose();

    [Theory]
    [InlineData(0, 0.01f)]
    [InlineData(2, 1e-3f)]
    public void ARegressionEndsWhereTheGradientIsZero(int emphasised, float strength)
    {
        const int Classes = 3;
        var rows = Examples(90, Classes, emphasised);

        var probe = new ProbeFit(_engine, Classes, seed: 1).Fit(rows, default, strength);

        // of the mean loss with a penalty on the weights of standardised features, in double precision
        var (gradient, atZero) = (GradientOf(probe, rows, strength), GradientOf(new Probe(Width, new float[Width * Classes], new float[Classes]), rows, strength));
        Assert.True(Norm(gradient) < 5e-3 * Norm(atZero), $"{Norm(gradient)} of {Norm(atZero)}");
    }

    [Fact]
    public void AFeatureThatDoesNotVaryCountsNothing()
    {
        var rows = Examples(60, 3, 0);
        for (var row = 0; row < rows.Count; row++)
            rows.Features[row * Width + 2] = 7f;

        var probe = new ProbeFit(_engine, 3, seed: 1).Fit(rows, default, 0.01f);

        Assert.Equal([0f, 0f, 0f], probe.Weights[(2 * 3)..(3 * 3)]);
        Assert.All(probe.Bias, value => Assert.True(float.IsFinite(value)));
    }

    [Fact]
    public void ManyClassesAreLearned()
    {
        const int Classes = 24;
        var (rows, others) = (Examples(240, Classes, 0), Examples(120, Classes, 0, seed: 5));
        var fit = new ProbeFit(_engine, Classes, seed: 1);

        var probe = fit.Fit(rows, new ProbeDescent(0.05f, 60, 64), 1f);

        Assert.Equal([1f], fit.Strengths(rows).ToArray());
        var logarithms = probe.ScoreLogarithms(_engine, others);
        var right = Enumerable.Range(0, others.Count).Count(
            row => Measurement.IndexOfMaximum(logarithms.AsSpan(row * Classes, Classes)) == others.Labels[row]);
        Assert.True(right > 60, $"{right} of 120 are right");
        using var one = new ManagedEngine(1);
        Assert.Equal(probe.Weights, new ProbeFit(one, Classes, seed: 1).Fit(rows, new ProbeDescent(0.05f, 60, 64), 1f).Weights);
        Assert.NotEqual(probe.Weights, new ProbeFit(one, Classes, seed: 2).Fit(rows, new ProbeDescent(0.05f, 60, 64), 1f).Weights);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(24)]
    public void ARowOfWeightZeroDoesNotCount(int classes)
    {
        var rows = Examples(80, classes, 0);
        var fit = new ProbeFit(_engine, classes, seed: 1);
        // the row has another label, but the same features as others, so that means and deviations stay what they are
        var weightless = rows with { Weights = [.. rows.Weights[..40], .. new float[40]] };
        var otherLabels = weightless with { Labels = [.. rows.Labels[..40], .. rows.Labels[40..].Select(label => (label + 1) % classes)] };

        var descent = new ProbeDescent(0.05f, 3, 16);
        Assert.Equal(fit.Fit(weightless, descent, 0.01f).Weights, fit.Fit(otherLabels, descent, 0.01f).Weights);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(24)]
    public void AFitCanBeStopped(int classes) => Assert.Throws<OperationCanceledException>(() =>
        new ProbeFit(_engine, classes, seed: 1).Fit(Examples(60, classes, 0), new ProbeDescent(0.05f, 3, 16), 0.01f, new CancellationToken(true)));

    [Fact]
    public void ScoresAreLogarithmsOfProbabilities()
    {
        const int Count = 1500; // more than are scored at once
        var rows = Examples(Count, 3, 0);
        var probe = new Probe(Width, TestNumbers.Normal(1, Width * 3), TestNumbers.Normal(2, 3));

        var logarithms = probe.ScoreLogarithms(_engine, rows);

        for (var row = 0; row < Count; row++)
        {
            var expected = LogitsOf(probe, rows.FeaturesOf(row));
            var sum = Math.Log(expected.Sum(Math.Exp));
            for (var c = 0; c < 3; c++)
                Assert.Equal(expected[c] - sum, logarithms[row * 3 + c], 1e-4);
        }
    }

    [Fact]
    public void SomeOfTheRowsAreTheseRows()
    {
        var rows = Examples(9, 3, 2);

        var some = rows.Select([4, 0, 4]);

        Assert.Equal((3, Width, 2), (some.Count, some.Width, some.Emphasised));
        Assert.Equal(rows.FeaturesOf(4), some.FeaturesOf(2));
        Assert.Equal(rows.FeaturesOf(0), some.FeaturesOf(1));
        Assert.Equal([rows.Labels[4], rows.Labels[0], rows.Labels[4]], some.Labels);
        Assert.Equal([rows.Weights[4], rows.Weights[0], rows.Weights[4]], some.Weights);
    }

    private static ProbeExamples Examples(int count, int classes, int emphasised, int seed = 1)
    {
        var centres = TestNumbers.Normal(99, classes * Width);
        var noise = TestNumbers.Normal(seed, count * Width);
        float[] features = [.. Enumerable.Range(0, count * Width).Select(i =>
            3f + (1 + i % Width) * (centres[i / Width % classes * Width + i % Width] + 0.3f * noise[i]))];
        return new ProbeExamples(
            features,
            Width,
            [.. Enumerable.Range(0, count).Select(row => row % classes)],
            [.. Enumerable.Range(0, count).Select(row => 0.5f + row % 4)],
            emphasised);
    }

    private static double[] LogitsOf(Probe probe, ReadOnlySpan<float> x)
    {
        var logits = probe.Bias.Select(b => (double)b).ToArray();
        for (var i = 0; i < x.Length; i++)
            for (var c = 0; c < logits.Length; c++)
                logits[c] += (double)x[i] * probe.Weights[i * logits.Length + c];
        return logits;
    }

    /// <summary>Gradient by the weights of standardised features and by the bias beside them.</summary>
    private static double[] GradientOf(Probe probe, ProbeExamples rows, float strength)
    {
        var (f, classes) = (rows.Width, probe.Classes);
        var (means, worths) = (new double[f], new double[f]);
        for (var i = 0; i < f; i++)
        {
            double[] values = [.. Enumerable.Range(0, rows.Count).Select(row => (double)rows.Features[row * f + i])];
            means[i] = values.Average();
            worths[i] = (i >= f - rows.Emphasised ? 10 : 1) / Math.Sqrt(values.Average(v => (v - means[i]) * (v - means[i])));
        }

        double total = rows.Weights.Sum();
        var penalty = 1 / (strength * total);
        var gradient = new double[(f + 1) * classes];
        for (var c = 0; c < classes; c++)
        {
            var bias = (double)probe.Bias[c];
            for (var i = 0; i < f; i++)
            {
                gradient[i * classes + c] = penalty * probe.Weights[i * classes + c] / worths[i];
                bias += means[i] * probe.Weights[i * classes + c];
            }

            gradient[f * classes + c] = penalty * LinearFit.PenaltyOfConstant * bias;
        }

        for (var row = 0; row < rows.Count; row++)
        {
            var logits = LogitsOf(probe, rows.FeaturesOf(row));
            var sum = logits.Sum(Math.Exp);
            for (var c = 0; c < classes; c++)
            {
                var error = rows.Weights[row] / total * (Math.Exp(logits[c]) / sum - (c == rows.Labels[row] ? 1 : 0));
                for (var i = 0; i < f; i++)
                    gradient[i * classes + c] += error * (rows.Features[row * f + i] - means[i]) * worths[i];
                gradient[f * classes + c] += error;
            }
        }

        return gradient;
    }

    private static double Norm(double[] values) => Math.Sqrt(values.Sum(v => v * v));
}
