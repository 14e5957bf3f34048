using Microsoft.ML.Data;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tests.Persistence;
using Microsoft.ML.Moe.Tests.TextEmbeddings;
using Microsoft.ML.Moe.Training;
using Tuning = Microsoft.ML.Moe.Training.FineTuning;

namespace Microsoft.ML.Moe.Tests.TextClassification;

/// <summary>Classifiers that begin with a published encoder.</summary>
public sealed class PublishedEncoderTests : IDisposable
{
    private static readonly Tuning Tuned = Tuning.TopLayers(1) with { Epochs = 2, BatchSize = 16 };

    private readonly MLContext _ml = new(seed: 1);
    private readonly List<string> _log = [];
    private readonly TinyEmbedder _tiny = new();
    private readonly TemporaryFolder _folder = new();

    public PublishedEncoderTests() => _ml.Log += (_, e) => _log.Add($"{e.Kind}: {e.RawMessage}");

    public void Dispose()
    {
        _tiny.Dispose();
        _folder.Dispose();
    }

    public static TheoryData<bool> Tunings => [false, true];

    [Theory]
    [MemberData(nameof(Tunings))]
    public void APipelineIsTrainedEvaluatedSavedAndLoaded(bool isTuned)
    {
        using var model = Fit(o => o.FineTuning = isTuned ? Tuned : Tuning.None);

        var metrics = _ml.MulticlassClassification.Evaluate(model.Transform(_ml.Data.LoadFromEnumerable(Rows(60, seed: 2))));
        Assert.True(metrics.MicroAccuracy > 0.8, $"{metrics.MicroAccuracy}");
        var expected = Models.Score(_ml, model, Rows(20, seed: 3));
        _ml.Model.Save(model, null, _folder["whole.zip"]);
        _ml.Model.Save(model.LastTransformer, null, _folder["classifier.zip"]);
        // nothing of the folder is needed any more
        _tiny.Dispose();
        var loaded = new MLContext().Model.Load(_folder["whole.zip"], out _);
        AssertClose(expected, Models.Score(_ml, loaded, Rows(20, seed: 3)).Select(p => p.Score));
        AssertClose(expected, FreshProcess.Score(_folder["classifier.zip"], Rows(20, seed: 3).Select(row => row.Text!)));
        using var engine = _ml.Model.CreatePredictionEngine<Row, Prediction>(loaded);
        AssertClose(expected, Rows(20, seed: 3).Select(row => engine.Predict(row).Score));
        (loaded as IDisposable)?.Dispose();
    }

    [Fact]
    public void TheSameSeedGivesTheSameModelWhateverTheThreads()
    {
        using var first = Fit(o => (o.FineTuning, o.Threads, o.Seed) = (Tuned, 1, 5));
        using var second = Fit(o => (o.FineTuning, o.Threads, o.Seed) = (Tuned, 2, 5));

        Models.AssertSame(Models.Score(_ml, first, Rows(30, seed: 2)), Models.Score(_ml, second, Rows(30, seed: 2)));
    }

    [Fact]
    public void PairsAreTrained()
    {
        using var model = Fit(o => (o.FineTuning, o.Sentence2ColumnName) = (Tuning.None, nameof(Row.Second)), SameOrOther(180, seed: 1));

        var rows = SameOrOther(60, seed: 2);
        var metrics = _ml.MulticlassClassification.Evaluate(model.Transform(_ml.Data.LoadFromEnumerable(rows)));
        Assert.True(metrics.MicroAccuracy > 0.8, $"{metrics.MicroAccuracy}");
        _ml.Model.Save(model, null, _folder["pairs.zip"]);
        var loaded = _ml.Model.Load(_folder["pairs.zip"], out _);
        AssertClose(Models.Score(_ml, model, rows), Models.Score(_ml, loaded, rows).Select(p => p.Score));
        Assert.Equal(2, Models.Score(_ml, model, [new Row { Text = "", Second = null }, new Row { Text = null, Second = "" }]).Count);
        (loaded as IDisposable)?.Dispose();
    }

    [Fact]
    public void AnUpcycledEncoderTellsOfItsRouters()
    {
        using var model = Fit(o =>
        {
            (o.FineTuning, o.Upcycling) = (Tuned, Upcycling.Copies(4) with { RouterStart = RouterStart.CentredKMeans });
            (o.RouterEntropyColumnName, o.UncertainColumnName, o.UncertainThreshold) = ("RouterEntropy", "Uncertain", 0.5);
        });
        var rows = Rows(30, seed: 2);
        var data = _ml.Data.LoadFromEnumerable(rows);
        var transformer = model.LastTransformer;

        var told = _ml.Data.CreateEnumerable<Told>(model.Transform(data), reuseRowObject: false).ToList();
        Assert.All(told, row => Assert.Equal(row.RouterEntropy[0] >= 0.5 * Math.Log(4), row.Uncertain));
        Assert.All(told, row => Assert.InRange(row.RouterEntropy[0], 0, row.RouterEntropy[1] + 1e-6));
        var report = transformer.ReportRouting(data);
        Assert.Equal((30, 4), (report.Rows, report.Experts));
        foreach (var (row, entropy) in rows.Zip(told).Take(5))
        {
            var alone = transformer.ReportRouting(_ml.Data.LoadFromEnumerable(new[] { row }));
            Assert.Equal(alone.Layers.Average(layer => layer.MeanEntropy), entropy.RouterEntropy[0], 1e-5);
        }

        using var other = transformer.WithRouting(Router.TokenChoice(1));
        Assert.NotEqual(Models.Score(_ml, transformer, rows)[0].Score, Models.Score(_ml, other, rows)[0].Score);
        var keyed = model.Transform(data);
        Assert.Equal(2, transformer.CompareRouting(keyed, [transformer.Router, Router.TokenChoice(1)]).Count);
        AssertClose(Models.Score(_ml, transformer, rows), Models.Score(_ml, Reload(transformer), rows).Select(p => p.Score));
    }

    [Fact]
    public void ADenseEncoderHasNoRouters()
    {
        using var model = Fit(o => o.FineTuning = Tuning.None);
        var transformer = model.LastTransformer;
        var data = model.Transform(_ml.Data.LoadFromEnumerable(Rows()));

        foreach (var act in new Action[]
        {
            () => transformer.ReportRouting(data), () => transformer.WithRouting(Router.TokenChoice(1)),
            () => transformer.CompareRouting(data, [Router.TokenChoice(1)]), () => transformer.WithRouterEntropy(),
        })
            Assert.Contains("MoE layers", Assert.Throws<InvalidOperationException>(act).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnEncoderThatDoesNotKnowTheLanguageIsLeftOut()
    {
        // spaces are unknown to it
        using var model = Fit(o => o.FineTuning = Tuning.Auto, Tables.Rows());

        Assert.Null(model.LastTransformer.Tokenizer);
        Assert.Contains(_log, line => line.Contains("does not know the texts' language", StringComparison.Ordinal));
        Assert.NotEmpty(model.LastTransformer.ReportRouting(_ml.Data.LoadFromEnumerable(Tables.Rows())).Layers);
        var rows = Tables.Rows(20, seed: 3);
        AssertClose(Models.Score(_ml, model, rows), Models.Score(_ml, Reload(model.LastTransformer), rows).Select(p => p.Score));

        using var stays = Fit(o => o.FineTuning = Tuning.None, Tables.Rows());
        Assert.NotNull(stays.LastTransformer.Tokenizer);
    }

    [Fact]
    public void ValidationRowsAndWeightsCount()
    {
        var rows = Rows();
        foreach (var row in rows)
            row.Weight = row.Label == Tables.Classes[2] ? 0 : 1;
        var epochs = new List<EpochReport>();

        using var model = Fit(
            o =>
            {
                (o.FineTuning, o.WeightColumnName, o.EpochCompleted) = (Tuned, nameof(Row.Weight), epochs.Add);
                o.ValidationSet = _ml.Data.LoadFromEnumerable(Rows(30, seed: 4));
            },
            rows);

        Assert.Equal(2, epochs.Count);
        Assert.All(epochs, report => Assert.NotNull(report.ValidationLoss));
        // a class without weight is not learned
        Assert.DoesNotContain(Models.Score(_ml, model, Rows(60, seed: 5)), p => p.PredictedLabel == 3);
    }

    [Fact]
    public void ItCanBeStoppedAndCancelled()
    {
        Assert.ThrowsAny<OperationCanceledException>(() => Fit(o => o.StopToken = new CancellationToken(true)));

        using var stop = new CancellationTokenSource();
        using var stopped = Fit(o => (o.FineTuning, o.StopToken, o.EpochCompleted) = (Tuned with { Epochs = 100 }, stop.Token, _ => stop.Cancel()));
        using var frozen = Fit(o => o.FineTuning = Tuning.None);
        Models.AssertSame(Models.Score(_ml, frozen, Rows(30, seed: 2)), Models.Score(_ml, stopped, Rows(30, seed: 2)));
        Assert.Contains(_log, line => line.StartsWith("Warning: Training was stopped early", StringComparison.Ordinal));

        Assert.ThrowsAny<OperationCanceledException>(
            () => Fit(o => (o.FineTuning, o.EpochCompleted) = (Tuned with { Epochs = 100 }, _ => _ml.Cancel())));
    }

    [Fact]
    public void InterruptedTrainingIsTakenUpAgain()
    {
        var whole = Models.Score(_ml, Fit(o => o.FineTuning = Tuned), Rows(30, seed: 2));
        using var stop = new CancellationTokenSource();
        using var half = Fit(o =>
            (o.FineTuning, o.CheckpointFile, o.StopToken, o.EpochCompleted) = (Tuned, _folder["state.zip"], stop.Token, _ => stop.Cancel()));
        Assert.Equal(["state.zip"], _folder.Files);
        var epochs = new List<int>();

        using var resumed = Fit(o => (o.FineTuning, o.CheckpointFile, o.EpochCompleted) = (Tuned, _folder["state.zip"], r => epochs.Add(r.Epoch)));

        Assert.Equal([2], epochs);
        Models.AssertSame(whole, Models.Score(_ml, resumed, Rows(30, seed: 2)));
    }

    [Fact]
    public void OptionsThatDoNotGoTogetherAreRefused()
    {
        using var earlier = Models.Fit(_ml);
        var tokenizer = TextTokenizer.FromWordPieceVocabulary(TestVocabulary.Stream());
        Refused("InitialModel", o => (o.Encoder, o.InitialModel) = (_tiny.Encoder, PretrainedModel.From(earlier)));
        Refused("Tokenizer", o => (o.Encoder, o.Tokenizer) = (_tiny.Encoder, tokenizer));
        Refused("Upcycling", o => o.Upcycling = Upcycling.Copies(2));
        Refused("Upcycling", o => (o.Encoder, o.UncertainColumnName) = (_tiny.Encoder, "Uncertain"));
        Refused("FineTuning", o => o.FineTuning = null!);

        void Refused(string option, Action<MoeTextClassificationTrainer.Options> change) =>
            Assert.Contains(option, Assert.ThrowsAny<ArgumentException>(() => Models.Trainer(_ml, change)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnEncoderThatIsNotThereIsNamedWhenItIsNeeded()
    {
        var nowhere = PublishedEncoder.FromFolder(_folder["nowhere"]);
        var pipeline = Models.Pipeline(_ml, o => o.Encoder = nowhere);

        var error = Assert.ThrowsAny<IOException>(() => pipeline.Fit(_ml.Data.LoadFromEnumerable(Rows())));

        Assert.Contains("nowhere", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TrainingDoesNotGoOnFromAPublishedEncoder()
    {
        using var earlier = Fit(o => o.FineTuning = Tuning.None);
        _ml.Model.Save(earlier, null, _folder["earlier.zip"]);

        foreach (var initial in new[] { PretrainedModel.From(earlier), PretrainedModel.FromFile(_folder["earlier.zip"]) })
        {
            var error = Assert.Throws<InvalidOperationException>(() => Models.Fit(_ml, o => o.InitialModel = initial));
            Assert.Contains("Encoder", error.Message, StringComparison.Ordinal);
        }
    }

    private TransformerChain<MoeTextClassificationTransformer> Fit(
        Action<MoeTextClassificationTrainer.Options>? change = null, IEnumerable<Row>? rows = null) =>
        Models.Pipeline(_ml, o =>
        {
            (o.Encoder, o.MaximumTokens) = (_tiny.Encoder, null);
            change?.Invoke(o);
        }).Fit(_ml.Data.LoadFromEnumerable(rows ?? Rows()));

    private MoeTextClassificationTransformer Reload(MoeTextClassificationTransformer transformer) =>
        (MoeTextClassificationTransformer)_ml.Model.Load(new MemoryStream(RoundTripTests.Save(transformer)), out _);

    /// <summary>Rows whose texts are letters alone, which the encoder knows; most are longer than it reads at once.</summary>
    private static List<Row> Rows(int count = 90, int seed = 1)
    {
        var rows = Tables.Rows(count, seed);
        foreach (var row in rows)
            (row.Text, row.Second) = (row.Text!.Replace(" ", "", StringComparison.Ordinal), row.Second!.Replace(" ", "", StringComparison.Ordinal));
        return rows;
    }

    /// <summary>Pairs of the same text, and of different ones.</summary>
    private static List<Row> SameOrOther(int count, int seed)
    {
        var rows = Rows(count, seed);
        for (var i = 0; i < count; i++)
        {
            rows[i].Label = i % 2 == 0 ? "same" : "other";
            if (i % 2 == 0)
                rows[i].Second = rows[i].Text;
        }

        return rows;
    }

    private static void AssertClose(List<Prediction> expected, IEnumerable<float[]> actual)
    {
        foreach (var (prediction, scores) in expected.Zip(actual.ToList()))
            Assert.All(prediction.Score.Zip(scores), pair => Assert.Equal(pair.First, pair.Second, 1e-6f));
    }

    private sealed class Told
    {
        [VectorType(2)]
        public float[] RouterEntropy { get; set; } = [];

        public bool Uncertain { get; set; }
    }
}
