using Microsoft.ML.Data;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tests.TextPretraining;

namespace Microsoft.ML.Moe.Tests.FineTuning;

/// <summary>Training that starts from an earlier model.</summary>
public sealed class FineTuningTests
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly List<string> _log = [];

    public FineTuningTests() => _ml.Log += (_, e) => _log.Add($"{e.Kind}: {e.RawMessage}");

    [Fact]
    public void StartingFromAClassifierBeatsStartingFromChance()
    {
        using var earlier = Models.Fit(_ml);
        // one start by chance may be a lucky one
        var started = MeanAccuracy(o => o.InitialModel = PretrainedModel.From(earlier));
        var fresh = MeanAccuracy(_ => { });
        Assert.True(started > 0.95, $"started: {started}");
        Assert.True(started > fresh + 0.05, $"started: {started}, fresh: {fresh}");

        double MeanAccuracy(Action<MoeTextClassificationTrainer.Options> change) => Enumerable.Range(1, 8).Average(seed =>
        {
            using var model = FitFew(o =>
            {
                o.Seed = seed;
                change(o);
            });
            return Accuracy(model);
        });
    }

    [Fact]
    public void StartingFromAPretrainedEncoderBeatsStartingFromChance()
    {
        // the labelled rows show some of each class's words only; the encoder knows which words go together
        using var encoder = Encoders.Fit(_ml, o => (o.MaxEpochs, o.Layers) = (30, 1), Tables.Rows(300, seed: 5));
        var few = new[] { ("rain sun", 0), ("bread soup", 1), ("train plane", 2), ("sun rain", 0), ("soup bread", 1), ("plane train", 2) };
        var rows = few.Select(f => new Row { Text = f.Item1, Label = Tables.Classes[f.Item2] }).ToList();
        using var started = Fit(rows, o => (o.InitialModel, o.MaxEpochs) = (PretrainedModel.From(encoder), 30));
        using var fresh = Fit(rows, o => o.MaxEpochs = 30);
        Assert.True(Accuracy(started) > Accuracy(fresh) + 0.05, $"started: {Accuracy(started)}, fresh: {Accuracy(fresh)}");
    }

    [Fact]
    public void AFileAndTheModelInMemoryGiveTheSame()
    {
        using var folder = new TemporaryFolder();
        var pipeline = Models.Pipeline(_ml).Append(_ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"));
        using var earlier = pipeline.Fit(_ml.Data.LoadFromEnumerable(Tables.Rows()));
        _ml.Model.Save(earlier, null, folder["earlier.zip"]);
        using var fromFile = FitFew(o => o.InitialModel = folder["earlier.zip"]);
        using var fromMemory = FitFew(o => o.InitialModel = PretrainedModel.From(earlier));
        Models.AssertSame(Models.Score(_ml, fromMemory, Tables.Rows()), Models.Score(_ml, fromFile, Tables.Rows()));
        Assert.Equal(90, earlier.Transform(_ml.Data.LoadFromEnumerable(Tables.Rows())).GetColumn<string>("PredictedLabel").Count());
        File.Delete(folder["earlier.zip"]); // and the file is closed
    }

    [Fact]
    public void AFileOfAPretrainedEncoderServesToo()
    {
        using var folder = new TemporaryFolder();
        using var encoder = Encoders.Fit(_ml);
        _ml.Model.Save(encoder, null, folder["encoder.zip"]);
        using var fromFile = FitFew(o => o.InitialModel = PretrainedModel.FromFile(folder["encoder.zip"]));
        using var fromMemory = FitFew(o => o.InitialModel = PretrainedModel.From(encoder));
        Models.AssertSame(Models.Score(_ml, fromMemory, Tables.Rows()), Models.Score(_ml, fromFile, Tables.Rows()));
        Assert.Contains(_log, l => l.StartsWith("Info: Starting from a pretrained encoder.", StringComparison.Ordinal));
    }

    [Fact]
    public void ArchitectureInputAndRouterAreTheEarlierModels()
    {
        using var earlier = Models.Fit(_ml, o => (o.Router, o.Experts, o.MaximumTokens, o.LinearBranch) = (Router.Unified(1.5), 3, 16, false));
        using var started = FitFew(o =>
        {
            o.InitialModel = PretrainedModel.From(earlier);
            (o.Width, o.Layers, o.Experts, o.HashBits, o.Lowercase, o.MaximumTokens) = (64, 3, 8, 12, false, 16);
        });
        Assert.Equal(earlier.LastTransformer.ParameterCount, started.LastTransformer.ParameterCount);
        Assert.Equal(earlier.LastTransformer.Router, started.LastTransformer.Router);
        var cases = Models.Score(_ml, started, [new Row { Text = "RAIN" }, new Row { Text = "rain" }]);
        Assert.Equal(cases[0].Score, cases[1].Score);
    }

    [Fact]
    public void TheSameSeedGivesTheSamePredictions()
    {
        using var earlier = Models.Fit(_ml);
        using var first = FitFew(o => (o.InitialModel, o.Seed, o.Threads, o.LinearBranch) = (PretrainedModel.From(earlier), 3, 1, true));
        using var second = FitFew(o => (o.InitialModel, o.Seed, o.Threads, o.LinearBranch) = (PretrainedModel.From(earlier), 3, 2, true));
        Models.AssertSame(Models.Score(_ml, first, Tables.Rows()), Models.Score(_ml, second, Tables.Rows()));
    }

    [Fact]
    public void TheResultIsAModelOfItsOwn()
    {
        using var folder = new TemporaryFolder();
        var earlier = Models.Fit(_ml);
        using var started = FitFew(o => o.InitialModel = PretrainedModel.From(earlier));
        var expected = Models.Score(_ml, started, Tables.Rows()).Select(s => s.Score);
        earlier.Dispose();
        _ml.Model.Save(started.LastTransformer, null, folder["started.zip"]);
        Assert.Equal(expected, FreshProcess.Score(folder["started.zip"], [.. Tables.Rows().Select(r => r.Text!)]));
    }

    [Fact]
    public void TrainingForGlobalWorkspaceWithFrozenRoutersChangesNoRouter()
    {
        using var earlier = Models.Fit(_ml, o => o.LinearBranch = false);
        using var started = FitFew(o =>
        {
            o.InitialModel = PretrainedModel.From(earlier);
            o.GlobalWorkspace = new GlobalWorkspaceSettings(0.5);
            o.FreezeRouter = true;
        });
        var before = SavedWeights.Of(earlier.LastTransformer);
        var after = SavedWeights.Of(started.LastTransformer);
        Assert.Equal(before.Keys.Order(), after.Keys.Order());
        var unchanged = before.Keys.Where(name => before[name].AsSpan().SequenceEqual(after[name])).ToList();
        Assert.Equal(["layers.0.moe.router.weight", "segments", "sharedMarks"], unchanged.Order()); // there are no pairs of texts
    }

    [Fact]
    public void FreezingRoutersThatHaveLearnedNothingIsWarnedOf()
    {
        using var model = FitFew(o => o.FreezeRouter = true);
        Assert.Contains(_log, l => l.StartsWith("Warning: FreezeRouter is set without InitialModel", StringComparison.Ordinal));
    }

    [Fact]
    public void InterruptedFineTuningIsTakenUpAgain()
    {
        using var folder = new TemporaryFolder();
        using var earlier = Models.Fit(_ml);
        using var whole = FitFew(o => (o.InitialModel, o.MaxEpochs) = (PretrainedModel.From(earlier), 3));
        using var stop = new CancellationTokenSource();
        using var half = FitFew(o =>
        {
            (o.InitialModel, o.MaxEpochs, o.CheckpointFile) = (PretrainedModel.From(earlier), 3, folder["state.zip"]);
            (o.StopToken, o.EpochCompleted) = (stop.Token, _ => stop.Cancel());
        });
        Assert.Contains("state.zip", folder.Files);
        Assert.Equal(90, Models.Score(_ml, half, Tables.Rows()).Count); // what was learned so far is a model

        var epochs = new List<int>();
        using var resumed = FitFew(o =>
        {
            (o.InitialModel, o.MaxEpochs, o.CheckpointFile) = (PretrainedModel.From(earlier), 3, folder["state.zip"]);
            o.EpochCompleted = report => epochs.Add(report.Epoch);
        });
        Assert.Equal([2, 3], epochs);
        Models.AssertSame(Models.Score(_ml, whole, Tables.Rows()), Models.Score(_ml, resumed, Tables.Rows()));
    }

    [Fact]
    public void CancelledTrainingIsTakenUpAgain()
    {
        using var folder = new TemporaryFolder();
        using var whole = FitFew(o => o.MaxEpochs = 3);
        var cancelled = new MLContext(seed: 1);
        Assert.ThrowsAny<OperationCanceledException>(() => FitFew(
            o => (o.MaxEpochs, o.CheckpointFile, o.EpochCompleted) = (3, folder["state.zip"], _ => cancelled.Cancel()), cancelled));
        using var resumed = FitFew(o => (o.MaxEpochs, o.CheckpointFile) = (3, folder["state.zip"]));
        Models.AssertSame(Models.Score(_ml, whole, Tables.Rows()), Models.Score(_ml, resumed, Tables.Rows()));
    }

    [Fact]
    public void ACheckpointOfAnotherTrainingIsRefused()
    {
        using var folder = new TemporaryFolder();
        using var stop = new CancellationTokenSource();
        using var half = FitFew(o =>
            (o.MaxEpochs, o.CheckpointFile, o.StopToken, o.EpochCompleted) = (3, folder["state.zip"], stop.Token, _ => stop.Cancel()));
        var error = Assert.Throws<InvalidDataException>(
            () => FitFew(o => (o.MaxEpochs, o.CheckpointFile, o.LearningRate) = (3, folder["state.zip"], 0.5f)));
        Assert.Contains("state.zip", error.Message, StringComparison.Ordinal);
        Assert.Contains("Delete it", error.Message, StringComparison.Ordinal);
    }

    private TransformerChain<MoeTextClassificationTransformer> FitFew(
        Action<MoeTextClassificationTrainer.Options>? change = null, MLContext? ml = null) =>
        Fit(
            Tables.Rows(12, seed: 9),
            o =>
            {
                // the network is what is taken over; a linear branch learns these rows from nothing
                (o.MaxEpochs, o.BatchSize, o.LinearBranch) = (1, 4, false);
                change?.Invoke(o);
            },
            ml);

    private TransformerChain<MoeTextClassificationTransformer> Fit(
        IEnumerable<Row> rows, Action<MoeTextClassificationTrainer.Options> change, MLContext? ml = null)
    {
        ml ??= _ml;
        return Models.Pipeline(ml, change).Fit(ml.Data.LoadFromEnumerable(rows));
    }

    private double Accuracy(TransformerChain<MoeTextClassificationTransformer> model) => _ml.MulticlassClassification
        .Evaluate(model.Transform(_ml.Data.LoadFromEnumerable(Tables.Rows(150, seed: 2)))).MicroAccuracy;
}
