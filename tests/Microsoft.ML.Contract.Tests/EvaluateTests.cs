using Microsoft.ML.Data;

namespace Microsoft.ML.Contract.Tests;

public sealed class EvaluateTests
{
    private readonly MLContext _ml = new(1);

    [Fact]
    public void MetricsOfAWorkedExample()
    {
        var metrics = Evaluate(Example, 2);

        // Three of four right; class 0: 1/1, class 1: 1/2, class 2: 1/1.
        Assert.Equal(0.75, metrics.MicroAccuracy, 9);
        Assert.Equal((1 + 0.5 + 1) / 3, metrics.MacroAccuracy, 9);
        // The probabilities of the true classes: 0.7, 0.6, 0.2, 0.5.
        var losses = new[] { -Math.Log(0.7f), -Math.Log(0.6f), -Math.Log(0.2f), -Math.Log(0.5f) };
        Assert.Equal(losses.Average(), metrics.LogLoss, 6);
        var prior = -(0.25 * Math.Log(0.25) + 0.5 * Math.Log(0.5) + 0.25 * Math.Log(0.25));
        Assert.Equal((prior - losses.Average()) / prior, metrics.LogLossReduction, 6);
        Assert.Equal([losses[0], (losses[1] + losses[2]) / 2, losses[3]], metrics.PerClassLogLoss.Select(l => Math.Round(l, 6)), Near);
        Assert.Equal(2, metrics.TopKPredictionCount);
        Assert.Equal([0.75, 1.0], metrics.TopKAccuracyForAllK);
        Assert.Equal(1.0, metrics.TopKAccuracy);
    }

    [Fact]
    public void ConfusionMatrixOfTheExample()
    {
        var matrix = Evaluate(Example).ConfusionMatrix;
        Assert.Equal(3, matrix.NumberOfClasses);
        Assert.Equal([[1, 0, 0], [1, 1, 0], [0, 0, 1]], matrix.Counts);
        Assert.Equal([0.5, 1, 1], matrix.PerClassPrecision);
        Assert.Equal([1, 0.5, 1], matrix.PerClassRecall);
        Assert.Equal(1, matrix.GetCountForClassPair(0, 1));
        Assert.Equal(0, matrix.GetCountForClassPair(1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => matrix.GetCountForClassPair(3, 0));
        Assert.Equal(
            """

            Confusion table
                      ||========================
            PREDICTED ||     0 |     1 |     2 | Recall
            TRUTH     ||========================
                    0 ||     1 |     0 |     0 | 1.0000
                    1 ||     1 |     1 |     0 | 0.5000
                    2 ||     0 |     0 |     1 | 1.0000
                      ||========================
            Precision ||0.5000 |1.0000 |1.0000 |

            """,
            matrix.GetFormattedConfusionTable(), ignoreLineEndingDifferences: true);
    }

    [Fact]
    public void LongClassNamesAreNumberedInTheTable()
    {
        var rows = _ml.Data.LoadFromEnumerable(new[]
        {
            new Named { Label = "a rather long name", Score = [0.9f, 0.1f] }, new Named { Label = "b", Score = [0.2f, 0.8f] },
        });
        var data = _ml.Transforms.Conversion.MapValueToKey("Label").Append(_ml.Transforms.CopyColumns("PredictedLabel", "Label"))
            .Fit(rows).Transform(rows);
        var named = new NamedScores(data, ["a rather long name", "b"]);
        Assert.Equal(
            """

            Confusion table
                                  ||======================
            PREDICTED             ||        0 |        1 | Recall
            TRUTH                 ||======================
            0. a rather long name ||        1 |        0 | 1.0000
            1.                  b ||        0 |        1 | 1.0000
                                  ||======================
            Precision             ||   1.0000 |   1.0000 |

            """,
            _ml.MulticlassClassification.Evaluate(named).ConfusionMatrix.GetFormattedConfusionTable(), ignoreLineEndingDifferences: true);
    }

    [Fact]
    public void MissingLabelsAndScoresAreLeftOut()
    {
        var metrics = Evaluate([new(0, 0.9f, 0.1f, 0f), new(null, 0.1f, 0.9f, 0f), new(1, float.NaN, 0f, 0f), new(1, 0.2f, 0.7f, 0.1f)]);
        Assert.Equal(1, metrics.MicroAccuracy);
        Assert.Equal([[1, 0, 0], [0, 1, 0], [0, 0, 0]], metrics.ConfusionMatrix.Counts);
        Assert.Equal(1, metrics.MacroAccuracy);
        Assert.Equal(0, metrics.PerClassLogLoss[2]);
        Assert.Equal(0, metrics.TopKAccuracy);
    }

    [Fact]
    public void ALabelBeyondTheClassesCountsAsWrong()
    {
        var metrics = Evaluate([new(0, 0.9f, 0.1f, 0f), new(4, 0.8f, 0.1f, 0.1f)], 3);
        Assert.Equal(0.5, metrics.MicroAccuracy);
        Assert.Equal(1, metrics.MacroAccuracy);
        Assert.Equal((-Math.Log(0.9f) - Math.Log(1e-15f)) / 2, metrics.LogLoss, 4);
        Assert.Equal([0.5, 0.5, 0.5], metrics.TopKAccuracyForAllK);
        Assert.Equal([[1, 0, 0], [0, 0, 0], [0, 0, 0]], metrics.ConfusionMatrix.Counts);
    }

    [Fact]
    public void TiesGoToTheFirstClassAndImpossibleOnesAreBounded()
    {
        var metrics = Evaluate([new(1, 0.5f, 0.5f, 0f), new(0, 0.5f, 0.5f, 0f), new(2, 0.5f, 0.5f, 0f)], 3);
        Assert.Equal(1.0 / 3, metrics.MicroAccuracy, 9);
        Assert.Equal([1.0 / 3, 2.0 / 3, 1.0], metrics.TopKAccuracyForAllK, Near);
        Assert.Equal((-Math.Log(0.5) * 2 - Math.Log(1e-15f)) / 3, metrics.LogLoss, 4);
    }

    [Fact]
    public void LabelsMayBeSingles()
    {
        var data = _ml.Data.LoadFromEnumerable(new[]
        {
            new SingleLabel { Label = 1, Score = [0.1f, 0.9f] }, new SingleLabel { Label = 0.5f, Score = [0.1f, 0.9f] },
            new SingleLabel { Label = float.NaN, Score = [0.1f, 0.9f] },
        });
        var metrics = _ml.MulticlassClassification.Evaluate(data);
        Assert.Equal([[0, 0], [0, 1]], metrics.ConfusionMatrix.Counts);
    }

    [Fact]
    public void NoRowsGiveNoAccuracy()
    {
        var metrics = Evaluate([]);
        Assert.Equal(0, metrics.MicroAccuracy);
        Assert.Equal(0, metrics.MacroAccuracy);
        Assert.Equal(0, metrics.LogLoss);
        Assert.True(double.IsNaN(metrics.LogLossReduction));
    }

    [Fact]
    public void UnsuitableColumnsAreErrors()
    {
        var rows = _ml.Data.LoadFromEnumerable(Row.Table(3));
        var data = _ml.Transforms.Conversion.MapValueToKey("Key", "Label").Append(_ml.Transforms.CopyColumns("Score", "Pair"))
            .Append(_ml.Transforms.CopyColumns("PredictedLabel", "Key")).Fit(rows).Transform(rows);
        Assert.NotNull(_ml.MulticlassClassification.Evaluate(data, "Key"));
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.MulticlassClassification.Evaluate(data, "Label"));
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.MulticlassClassification.Evaluate(data, "Absent"));
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.MulticlassClassification.Evaluate(data, "Key", "Number"));
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.MulticlassClassification.Evaluate(data, "Key", "Absent"));
        Assert.Throws<ArgumentOutOfRangeException>(() => _ml.MulticlassClassification.Evaluate(data, "Key", "Score", "Absent"));
        Assert.Throws<ArgumentNullException>(() => _ml.MulticlassClassification.Evaluate(null));
        Assert.ThrowsAny<Exception>(() => _ml.MulticlassClassification.Evaluate(data, "Key", topKPredictionCount: 9));
    }

    private static readonly Scored[] Example =
        [new(0, 0.7f, 0.2f, 0.1f), new(1, 0.3f, 0.6f, 0.1f), new(1, 0.7f, 0.2f, 0.1f), new(2, 0.2f, 0.3f, 0.5f)];

    private static bool Near(double a, double b) => Math.Abs(a - b) < 1e-5;

    private MulticlassClassificationMetrics Evaluate(Scored[] rows, int topK = 0)
    {
        var data = _ml.Data.LoadFromEnumerable(
            rows.Select(r => new ScoredRow { Label = (uint)(r.Label ?? 99), PredictedLabel = 1, Score = [r.A, r.B, r.C] }));
        return _ml.MulticlassClassification.Evaluate(data, topKPredictionCount: topK);
    }

    private sealed record Scored(int? Label, float A, float B, float C);

    private sealed class ScoredRow
    {
        [KeyType(5)]
        public uint Label { get; set; }

        [KeyType(5)]
        public uint PredictedLabel { get; set; }

        [VectorType(3)]
        public float[] Score { get; set; }
    }

    private sealed class SingleLabel
    {
        public float Label { get; set; }

        public float PredictedLabel { get; set; }

        [VectorType(2)]
        public float[] Score { get; set; }
    }

    private sealed class Named
    {
        public string Label { get; set; }

        [VectorType(2)]
        public float[] Score { get; set; }
    }
}
