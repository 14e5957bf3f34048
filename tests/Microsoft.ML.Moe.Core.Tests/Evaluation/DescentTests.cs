using Microsoft.ML.Moe.Evaluation;
using Microsoft.ML.Moe.LinearModels;

namespace Microsoft.ML.Moe.Tests.Evaluation;

public class DescentTests
{
    [Fact]
    public void FindsTheMinimumOfACurvedValley()
    {
        double[] x = [-1.2, 1];
        var descent = new LimitedMemoryBfgs(1e-10, 1000, relativeChange: 0);

        var value = descent.Descend(
            (at, gradient) =>
            {
                var bend = at[1] - (at[0] * at[0]);
                gradient[0] = (-400 * at[0] * bend) - (2 * (1 - at[0]));
                gradient[1] = 200 * bend;
                return (100 * bend * bend) + ((1 - at[0]) * (1 - at[0]));
            },
            x);

        Assert.Equal(1, x[0], 1e-8);
        Assert.Equal(1, x[1], 1e-8);
        Assert.Equal(0, value, 1e-12);
        Assert.InRange(descent.Steps, 20, 60);
    }

    [Fact]
    public void StopsWhereTold()
    {
        using var source = new CancellationTokenSource();
        source.Cancel();

        Assert.Throws<OperationCanceledException>(() => new LimitedMemoryBfgs(0, 10).Descend((at, g) => g[0] = at[0], [1.0], source.Token));
        var descent = new LimitedMemoryBfgs(1e-10, 3);
        descent.Descend((at, g) => (g[0] = at[0] - 5) * g[0] / 2, [1000.0]);
        Assert.InRange(descent.Steps, 1, 3);
    }

    [Fact]
    public void LogisticRegressionIsAtAMinimum()
    {
        var random = new Random(1);
        float[][] rows = [.. Enumerable.Range(0, 60).Select(_ => new[] { random.NextSingle(), random.NextSingle(), random.NextSingle() })];
        int[] labels = [.. rows.Select(r => r[0] > 0.6f ? 2 : r[1] > 0.5f ? 1 : 0)];
        var model = LogisticRegression.Fit(rows, labels, 3, inverseRegularisation: 5, tolerance: 1e-12, mostSteps: 10_000);

        // Each derivative: the mean over rows of (p − y) · x, plus the penalty of a weight.
        for (var c = 0; c < 3; c++)
        {
            for (var k = 0; k < 3; k++)
                Assert.Equal(
                    0,
                    rows.Select((r, i) => (model.Probabilities(r)[c] - (labels[i] == c ? 1 : 0)) * r[k]).Average()
                        + (model.Weights(c)[k] / (5 * 60)),
                    1e-7);
            Assert.Equal(0, rows.Select((r, i) => model.Probabilities(r)[c] - (labels[i] == c ? 1 : 0)).Average(), 1e-7);
        }
    }

    [Fact]
    public void TwoClassesMayBeFarApart()
    {
        var model = LogisticRegression.Fit([[1e4f], [-1e4f]], [1, 0], 2);

        Assert.Equal([1, 0], new[] { model.Predict([1f]), model.Predict([-1f]) });
        Assert.True(double.IsFinite(model.Objective));
        Assert.Throws<ArgumentException>(() => LogisticRegression.Fit([], [], 2));
    }

    [Fact]
    public void KMeansSeparatesWhatLiesApart()
    {
        var random = new Random(1);
        float[][] rows = [.. Enumerable.Range(0, 90).Select(i => new[] { (10f * (i % 3)) + random.NextSingle(), random.NextSingle() })];
        var clusters = MiniBatchKMeans.Fit(rows, 3, batchSize: 20, seed: 0);

        Assert.Equal(1, new ClusterAgreement([.. Enumerable.Range(0, 90).Select(i => i % 3)], clusters.Assignments).VMeasure);
        Assert.Equal(clusters.Assignments, MiniBatchKMeans.Fit(rows, 3, batchSize: 20, seed: 0).Assignments);
        Assert.Throws<ArgumentException>(() => MiniBatchKMeans.Fit(rows[..2], 3, 20, 0));
    }

    [Fact]
    public void KMeansOfEqualRowsEnds()
    {
        float[][] rows = [.. Enumerable.Repeat(new[] { 1f, 2f }, 30)];

        Assert.Equal(0, MiniBatchKMeans.Fit(rows, 4, batchSize: 10, seed: 1).Inertia);
    }

    [Fact]
    public void UndersamplingTakesAllRowsOfSmallClasses()
    {
        var rows = new Undersampling([0, 0, 0, 0, 1], rowsForEachClass: 2, seed: 42);

        for (var experiment = 0; experiment < 5; experiment++)
        {
            var taken = rows.Next();
            Assert.Equal(3, taken.Distinct().Count());
            Assert.Contains(4, taken);
        }
    }
}
