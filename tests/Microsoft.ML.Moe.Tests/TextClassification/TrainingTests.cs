using System.Text.RegularExpressions;
using Microsoft.ML.Data;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.TextClassification;

/// <summary>Validation, reports, seeds and both ways of stopping.</summary>
public sealed class TrainingTests
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly List<string> _log = [];

    public TrainingTests() => _ml.Log += (_, e) => _log.Add($"{e.Kind}: {e.RawMessage}");

    [Fact]
    public void EveryEpochIsReported()
    {
        var reports = new List<EpochReport>();
        using var model = Models.Fit(_ml, o => (o.EpochCompleted, o.ValidationShare) = (reports.Add, 0.2f));
        Assert.Equal([1, 2, 3, 4], reports.Select(r => r.Epoch));
        Assert.All(reports, r => Assert.True(r.TrainingLoss > 0 && r.ValidationLoss > 0 && r.ValidationAccuracy >= 0 && r.Epochs == 4));
        Assert.Contains(_log, l => l.StartsWith("Info: Epoch 4/4: training loss ", StringComparison.Ordinal) && l.Contains("accuracy", StringComparison.Ordinal));
        Assert.Contains(_log, l => l.StartsWith("Info: Training on 90 rows, 3 classes, engine: ", StringComparison.Ordinal));
        Assert.Contains(_log, l => l == $"Info: The model has {model.LastTransformer.ParameterCount} parameters.");
        Assert.Contains(_log, l => Regex.IsMatch(l, "^Info: Peak memory of the managed engine: [1-9][0-9]* MiB in buffers, [0-9]+ MiB of them weights packed for scoring, [1-9][0-9]* MiB the process\\.$"));
    }

    [Fact]
    public void TheSameSeedGivesTheSamePredictions()
    {
        using var first = Models.Fit(new MLContext(seed: 7));
        using var second = Models.Fit(new MLContext(seed: 7));
        using var option = Models.Fit(new MLContext(seed: 1), o => o.Seed = 7);
        using var other = Models.Fit(new MLContext(seed: 8));
        var expected = Models.Score(_ml, first, Tables.Rows());
        Models.AssertSame(expected, Models.Score(_ml, second, Tables.Rows()));
        Models.AssertSame(expected, Models.Score(_ml, option, Tables.Rows()));
        Assert.NotEqual(expected.Select(r => r.Score), Models.Score(_ml, other, Tables.Rows()).Select(r => r.Score));
    }

    [Fact]
    public void OneAndTwoThreadsGiveTheSamePredictions()
    {
        using var one = Models.Fit(_ml, o => o.Threads = 1);
        using var two = Models.Fit(_ml, o => o.Threads = 2);
        Models.AssertSame(Models.Score(_ml, one, Tables.Rows()), Models.Score(_ml, two, Tables.Rows()));
    }

    [Theory]
    [InlineData(true, "weather|food|travel")]
    [InlineData(true, "travel|weather|food")]
    [InlineData(false, "")]
    public void ValidationLabelsAreMatchedByValue(bool keys, string order)
    {
        IDataView validation = _ml.Data.LoadFromEnumerable(Tables.Rows(60, seed: 2));
        if (keys)
        {
            var values = _ml.Data.LoadFromEnumerable(order.Split('|').Select(l => new LabelOnly { Label = l }));
            validation = _ml.Transforms.Conversion.MapValueToKey([new InputOutputColumnPair("Label")], keyData: values)
                .Fit(validation).Transform(validation);
        }

        var reports = new List<EpochReport>();
        using var model = Models.Fit(_ml, o => (o.ValidationSet, o.EpochCompleted) = (validation, reports.Add));
        Assert.True(reports.Max(r => r.ValidationAccuracy) > 0.9, string.Join(' ', reports.Select(r => r.ValidationAccuracy)));
    }

    [Fact]
    public void ValidationRowsOfOtherClassesAreLeftOutAndCounted()
    {
        var rows = Tables.Rows(60, seed: 2);
        rows[0].Label = "music";
        rows[1].Label = "sport";
        using var model = Models.Fit(_ml, o => o.ValidationSet = _ml.Data.LoadFromEnumerable(rows));
        Assert.Contains(_log, l => l.StartsWith("Warning: 2 validation rows are left out", StringComparison.Ordinal));
    }

    [Fact]
    public void AValidationSetOfOtherClassesOnlyIsRefused()
    {
        var rows = Tables.Rows(6).Select(r => new Row { Text = r.Text, Label = "music" });
        var error = Assert.Throws<InvalidOperationException>(
            () => Models.Fit(_ml, o => o.ValidationSet = _ml.Data.LoadFromEnumerable(rows)));
        Assert.Contains("ValidationSet", error.Message, StringComparison.Ordinal);
        Assert.Contains("'Label'", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Number")]
    [InlineData("Vector")]
    public void AValidationSetWithOtherLabelsIsRefused(string column)
    {
        var validation = _ml.Data.LoadFromEnumerable(Tables.Rows());
        validation = _ml.Transforms.CopyColumns("Label", column).Fit(validation).Transform(validation);
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => Models.Fit(_ml, o => o.ValidationSet = validation));
        Assert.Contains("'Label' of the validation set", error.Message, StringComparison.Ordinal);
        Assert.Contains("Text values", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AValidationSetWithoutTextIsRefused()
    {
        var validation = _ml.Data.LoadFromEnumerable([new LabelOnly { Label = "food" }]);
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => Models.Fit(_ml, o => o.ValidationSet = validation));
        Assert.Contains("'Text'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheBestEpochIsKept()
    {
        // one epoch's model is the best of many when the learning rate falls to nothing only at the end
        var reports = new List<EpochReport>();
        var validation = _ml.Data.LoadFromEnumerable(Tables.Rows(60, seed: 2));
        using var model = Models.Fit(
            _ml, o => (o.ValidationSet, o.EpochCompleted, o.MaxEpochs, o.LinearBranch) = (validation, reports.Add, 12, false));
        var keys = _ml.Transforms.Conversion.MapValueToKey("Label").Fit(_ml.Data.LoadFromEnumerable(Tables.Rows()));
        var metrics = _ml.MulticlassClassification.Evaluate(model.LastTransformer.Transform(keys.Transform(validation)));
        Assert.Equal(reports.Min(r => r.ValidationLoss)!.Value, metrics.LogLoss, 1e-4);
        Assert.Equal(reports.Last(r => r.IsBest).ValidationLoss, reports.Min(r => r.ValidationLoss));
    }

    [Fact]
    public void TheStopTokenKeepsTheBestSoFar()
    {
        using var stop = new CancellationTokenSource();
        var reports = new List<EpochReport>();
        using var model = Models.Fit(_ml, o =>
        {
            o.MaxEpochs = 1000;
            o.StopToken = stop.Token;
            o.EpochCompleted = report =>
            {
                reports.Add(report);
                if (report.Epoch == 5)
                    stop.Cancel();
            };
        });
        Assert.Equal(5, reports.Count);
        Assert.Equal(90, Models.Score(_ml, model, Tables.Rows()).Count);
        Assert.Contains(_log, l => l.StartsWith("Warning: Training was stopped early", StringComparison.Ordinal));
    }

    [Fact]
    public void AStopBeforeTheFirstStepLeavesNothingToKeep()
    {
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => Models.Fit(_ml, o => o.StopToken = stop.Token));
    }

    [Fact]
    public void CancelledExecutionAbortsTraining()
    {
        var epochs = 0;
        var pipeline = Models.Pipeline(_ml, o =>
        {
            o.MaxEpochs = 1000;
            o.EpochCompleted = report =>
            {
                epochs++;
                _ml.Cancel();
            };
        });
        Assert.ThrowsAny<OperationCanceledException>(() => pipeline.Fit(_ml.Data.LoadFromEnumerable(Tables.Rows())));
        Assert.Equal(1, epochs);
    }

    [Fact]
    public void AnExceptionInTheCallbackEndsTraining()
    {
        Assert.Throws<NotSupportedException>(() => Models.Fit(_ml, o => o.EpochCompleted = _ => throw new NotSupportedException()));
    }

    private sealed class LabelOnly
    {
        public string? Label { get; set; }
    }
}
