using Microsoft.ML.Moe.Evaluation;

namespace Microsoft.ML.Moe.Tests.Evaluation;

public class CalibrationTests
{
    [Fact]
    public void CertainAndRightIsCalibrated()
    {
        var calibration = Calibration.Of([1, 0, 0, 1], [0, 1], bins: 10);

        Assert.Equal((0, 0), (calibration.ExpectedError, calibration.MaximumError));
        Assert.Equal(2, calibration.Bins[^1].Count);
        Assert.Equal(double.NaN, calibration.Bins[0].Accuracy);
    }

    [Fact]
    public void EveryConfidenceHasABin()
    {
        for (var bins = 1; bins <= 40; bins++)
        {
            for (var i = 0; i <= bins; i++)
            {
                var edge = Math.Max(i * (1.0 / bins), 0.5);
                var calibration = Calibration.Of([edge, 1 - edge], [0], bins);
                var bin = calibration.Bins.ToList().FindIndex(b => b.Count == 1);
                Assert.True(edge > bin * (1.0 / bins) || bin == 0);
                Assert.True(edge <= (bin + 1) * (1.0 / bins) || bin == bins - 1);
            }
        }
    }

    [Fact]
    public void TheBestTemperatureHasTheSmallestLoss()
    {
        var random = new Random(1);
        double[] logits = [.. Enumerable.Range(0, 300).Select(_ => (random.NextDouble() - 0.5) * 8)];
        int[] labels =
            [.. Enumerable.Range(0, 100).Select(i => i % 2 == 0 ? Scores.IndexOfLargest(logits.AsSpan(3 * i, 3)) : random.Next(3))];
        var best = Scores.BestTemperature(logits, labels);
        var loss = Scores.LogLoss(logits, labels, best);

        Assert.True(loss < Scores.LogLoss(logits, labels, best * 1.001));
        Assert.True(loss < Scores.LogLoss(logits, labels, best / 1.001));
        Assert.Equal(best * 10, Scores.BestTemperature([.. logits.Select(l => l * 10)], labels), 1e-6);
    }

    [Fact]
    public void TemperaturesWithoutAMinimumStayFinite()
    {
        var allRight = Scores.BestTemperature([2, 1, 1, 2], [0, 1]);
        Assert.InRange(allRight, 1e-3, 1);
        Assert.Equal(0, Scores.LogLoss([2, 1, 1, 2], [0, 1], allRight), 1e-12);
        Assert.Equal(1e3, Scores.BestTemperature([2, 1, 1, 2], [1, 0]), 1e-6 * 1e3);
    }

    [Fact]
    public void LogitsMayBeLarge() => Assert.Equal(2000, Scores.LogLoss([1000, -1000], [1]), 1e-9);

    [Fact]
    public void ScoresMustBeATable() => Assert.Throws<ArgumentException>(() => Scores.Accuracy([1, 2, 3], [0, 1]));
}
