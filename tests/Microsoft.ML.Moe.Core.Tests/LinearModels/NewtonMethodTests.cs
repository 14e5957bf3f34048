using Microsoft.ML.Moe.LinearModels;
using Xunit;

namespace Microsoft.ML.Moe.Tests.LinearModels;

public class NewtonMethodTests
{
    [Theory]
    [InlineData(2)]
    [InlineData(7)]
    public void TheEnd_IsTheMinimum_WhereverItBegan(int classes)
    {
        var (x, labels, weights) = Rows.Random(300, 9, classes, 1);
        var objective = new SoftmaxRegression(x, labels, weights, classes, SoftmaxRegressionTests.Penalties(), 1);
        var stride = Gather.Stride(classes);
        var fromZero = new float[objective.Length];
        var method = new NewtonMethod(objective);
        var value = method.Descend(fromZero, 1e-5);
        Assert.InRange(method.RelativeGradient, 0, 1e-5);
        var random = new Random(2);
        float[] far = [.. Enumerable.Range(0, objective.Length).Select(i => i % stride < classes ? 4 * random.NextSingle() - 2 : 0f)];
        Assert.Equal(value, new NewtonMethod(objective).Descend(far, 1e-5), 5);
        for (var i = 0; i < far.Length; i++)
            Assert.Equal(fromZero[i], far[i], 1e-2f);
    }

    [Fact]
    public void EachStep_Descends()
    {
        var (x, labels, weights) = Rows.Random(300, 9, 4, 3);
        var values = new List<double>();
        var objective = new SoftmaxRegression(x, labels, weights, 4, SoftmaxRegressionTests.Penalties(), 1);
        new NewtonMethod(objective).Descend(new float[objective.Length], 1e-5, values.Add);
        Assert.NotEmpty(values);
        Assert.Equal(values.OrderDescending(), values);
    }

    [Fact]
    public void Threads_ChangeNoBit()
    {
        Assert.Equal(Fit(1), Fit(3));

        static float[] Fit(int threads)
        {
            // several blocks of rows, and several of weights
            var (x, labels, weights) = Rows.Random(600, 4500, 10, 4);
            var objective = new SoftmaxRegression(x, labels, weights, 10, [.. Enumerable.Repeat(0.001f, 4500)], threads);
            Assert.True(objective.Length > 1 << 16);
            var w = new float[objective.Length];
            new NewtonMethod(objective).Descend(w, 1e-2);
            return w;
        }
    }

    [Fact]
    public void ItCanBeStopped()
    {
        var (x, labels, weights) = Rows.Random(300, 9, 4, 3);
        var objective = new SoftmaxRegression(x, labels, weights, 4, SoftmaxRegressionTests.Penalties(), 1);
        Assert.Throws<OperationCanceledException>(() => new NewtonMethod(objective).Descend(
            new float[objective.Length], 1e-5, stop: new CancellationToken(canceled: true)));
    }
}
