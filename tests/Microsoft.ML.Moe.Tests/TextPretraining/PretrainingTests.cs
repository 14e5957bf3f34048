using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.TextPretraining;

/// <summary>Pretraining: what is learned, reports, seeds, stopping and going on.</summary>
public sealed class PretrainingTests
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly List<string> _log = [];

    public PretrainingTests() => _ml.Log += (_, e) => _log.Add($"{e.Kind}: {e.RawMessage}");

    [Fact]
    public void LearnsToGuessWords()
    {
        var reports = new List<EpochReport>();
        using var encoder = Encoders.Fit(_ml, o => (o.EpochCompleted, o.MaxEpochs) = (reports.Add, 30), Tables.Rows(300));
        Assert.Equal(Enumerable.Range(1, 30), reports.Select(r => r.Epoch));
        // 15 words, 5 of each class, which their neighbours tell
        Assert.True(reports[^1].ValidationLoss < Math.Log(15) - 0.5, $"loss {reports[^1].ValidationLoss}");
        Assert.Contains(_log, l => l.StartsWith("Info: Epoch 30/30: training loss ", StringComparison.Ordinal));
        Assert.Contains(_log, l => l.StartsWith("Info: Pretraining on 300 texts, engine: ", StringComparison.Ordinal));
        Assert.Contains(_log, l => l == $"Info: The model has {encoder.ParameterCount} parameters.");
    }

    [Fact]
    public void TheShortOverloadNamesItsColumns()
    {
        var data = _ml.Data.LoadFromEnumerable(Tables.Rows(12));
        var encoder = _ml.Transforms.Text.PretrainMoeEncoder("Vector2", "Text", batchSize: 4, maxEpochs: 1);
        Assert.Contains(encoder.GetOutputSchema(SchemaAssert.ShapeOf(data.Schema)), c => c.Name == "Vector2");
        var same = _ml.Transforms.Text.PretrainMoeEncoder("Text").GetOutputSchema(SchemaAssert.ShapeOf(data.Schema));
        Assert.Equal(Microsoft.ML.Data.NumberDataViewType.Single, same.Single(c => c.Name == "Text").ItemType);
    }

    [Fact]
    public void TheSameSeedGivesTheSameVectorsOnAnyNumberOfThreads()
    {
        using var first = Encoders.Fit(new MLContext(seed: 7), o => o.Threads = 1);
        using var second = Encoders.Fit(new MLContext(seed: 1), o => (o.Seed, o.Threads) = (7, 2));
        using var other = Encoders.Fit(new MLContext(seed: 8));
        Assert.Equal(TextVectors.Of(_ml, first), TextVectors.Of(_ml, second));
        Assert.NotEqual(TextVectors.Of(_ml, first), TextVectors.Of(_ml, other));
    }

    [Fact]
    public void LearnsFromTextFiles()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllLines(folder["texts.txt"], Tables.Rows().Select(r => r.Text!));
        using var fromFile = Encoders.Pretrainer(_ml).Fit(_ml.Data.LoadTextLines("Text", folder["texts.txt"]));
        using var fromMemory = Encoders.Fit(_ml);
        Assert.Equal(TextVectors.Of(_ml, fromMemory), TextVectors.Of(_ml, fromFile));
    }

    [Fact]
    public void BlankRowsAreLeftOutAndCounted()
    {
        var rows = Tables.Rows();
        (rows[3].Text, rows[5].Text, rows[9].Text) = (null, "", " \t ");
        using var encoder = Encoders.Fit(_ml, rows: rows);
        Assert.Contains(_log, l => l == "Warning: 3 rows are left out: their text in column 'Text' is missing or blank.");
        Assert.Contains(_log, l => l.StartsWith("Info: Pretraining on 87 texts", StringComparison.Ordinal));
    }

    [Fact]
    public void LongTextsAreReadInPieces()
    {
        var rows = new[] { new Row { Text = string.Join(' ', Tables.Rows().Select(r => r.Text)) } };
        using var encoder = Encoders.Fit(_ml, o => o.ValidationShare = 0, rows);
        var words = rows[0].Text!.Split(' ').Length;
        Assert.Contains(_log, l => l.StartsWith($"Info: Pretraining on {(words + 30) / 31} texts", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData]
    [InlineData("")]
    [InlineData("rain", "rain rain", "rain")]
    public void TooFewWordsAreAnError(params string[] texts)
    {
        var error = Assert.Throws<InvalidOperationException>(
            () => Encoders.Fit(_ml, o => o.ValidationShare = 0, texts.Select(t => new Row { Text = t })));
        Assert.Contains($"'Text' has {texts.Length} rows", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheStopTokenKeepsTheBestSoFar()
    {
        using var stop = new CancellationTokenSource();
        var reports = new List<EpochReport>();
        using var encoder = Encoders.Fit(_ml, o =>
        {
            o.MaxEpochs = 1000;
            o.StopToken = stop.Token;
            o.EpochCompleted = report =>
            {
                reports.Add(report);
                if (report.Epoch == 3)
                    stop.Cancel();
            };
        });
        Assert.Equal(3, reports.Count);
        Assert.Equal(90, TextVectors.Of(_ml, encoder).Count);
        Assert.Contains(_log, l => l.StartsWith("Warning: Training was stopped early", StringComparison.Ordinal));
    }

    [Fact]
    public void AStopBeforeTheFirstStepLeavesNothingToKeep()
    {
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => Encoders.Fit(_ml, o => o.StopToken = stop.Token));
    }

    [Fact]
    public void AnInterruptedPretrainingIsTakenUpAgain()
    {
        using var folder = new TemporaryFolder();
        using var whole = Encoders.Fit(new MLContext(seed: 1));
        var cancelled = new MLContext(seed: 1);
        Assert.ThrowsAny<OperationCanceledException>(() => Encoders.Fit(cancelled, o =>
        {
            o.CheckpointFile = folder["state.zip"];
            o.EpochCompleted = _ => cancelled.Cancel();
        }));
        Assert.Contains("state.zip", folder.Files);

        var epochs = new List<int>();
        using var resumed = Encoders.Fit(
            new MLContext(seed: 1), o => (o.CheckpointFile, o.EpochCompleted) = (folder["state.zip"], report => epochs.Add(report.Epoch)));
        Assert.Equal([2, 3, 4], epochs);
        Assert.Equal(TextVectors.Of(_ml, whole), TextVectors.Of(_ml, resumed));
    }

    [Fact]
    public void ImpossibleOptionsAreNamed()
    {
        AssertRefused("InputColumnName", o => o.InputColumnName = "");
        AssertRefused("OutputColumnName", o => o.OutputColumnName = null!);
        AssertRefused("MaskShare", o => o.MaskShare = 0);
        AssertRefused("EarlyStoppingPatience", o => (o.EarlyStoppingPatience, o.ValidationShare) = (1, 0));
        AssertRefused("Experts", o => o.Experts = 0);

        void AssertRefused(string option, Action<MoeTextPretrainer.Options> change)
        {
            var error = Assert.ThrowsAny<ArgumentException>(() => Encoders.Pretrainer(_ml, change));
            Assert.Contains(option, error.Message, StringComparison.Ordinal);
        }
    }
}
