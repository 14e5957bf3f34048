using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>Classifiers of texts that begin with a published encoder.</summary>
public sealed class PublishedTextTrainerTests : IDisposable
{
    /// <summary>So few that none are held out, and the tuned encoder is taken whatever it is worth.</summary>
    private const int Few = 45;

    private static readonly FineTuning Contrast = FineTuning.TopLayers(2) with
    {
        Loss = FineTuningLoss.Contrast, Epochs = 3, BatchSize = 10, LearningRate = 2e-3f,
    };

    private static readonly FineTuning CrossEntropy = FineTuning.TopLayers(2) with { Epochs = 3, BatchSize = 16, LearningRate = 2e-3f };

    private readonly ManagedEngine _engine = new(1);
    private readonly TinyEncoder _tiny = new();
    private readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _engine.Dispose();
        _tiny.Dispose();
        _folder.Dispose();
    }

    public static TheoryData<bool> Losses => [false, true];

    [Fact]
    public void AFrozenEncoderIsReadByItsLastLayers()
    {
        var model = Train(FineTuning.None, TinyEncoder.Texts(240));

        Assert.True(AccuracyOf(model) > 0.8, $"{AccuracyOf(model)}");
        Assert.Equal(TinyEncoder.Layers, Assert.IsType<PooledClassesHeadConfig>(model.Config.Head).Layers);
        Assert.NotNull(model.Branch);
        Assert.NotNull(model.Config.BaseModel);
        AssertEncoderIsThePublishedOne(model, TinyEncoder.Layers);
    }

    [Theory]
    [InlineData(1, FineTuningLoss.CrossEntropy)]
    [InlineData(2, FineTuningLoss.CrossEntropy)]
    [InlineData(99, FineTuningLoss.CrossEntropy)]
    [InlineData(1, FineTuningLoss.Contrast)]
    [InlineData(99, FineTuningLoss.Contrast)]
    public void TheTopLayersAreTrainedAndNoOthers(int layers, FineTuningLoss loss)
    {
        var model = Train(FineTuning.TopLayers(layers) with { Epochs = 2, Loss = loss }, TinyEncoder.Texts(Few));

        var tuned = Math.Min(layers, TinyEncoder.Layers);
        AssertEncoderIsThePublishedOne(model, TinyEncoder.Layers - tuned);
        Assert.Equal(Math.Min(3, tuned + 1), ((PooledClassesHeadConfig)model.Config.Head).Layers);
        Assert.All(model.Parameters.All, p => Assert.False(p.Parameter.IsFrozen));
        Assert.True(AccuracyOf(model) > 0.5, $"{AccuracyOf(model)}");
    }

    [Theory]
    [MemberData(nameof(Losses))]
    public void KeptStatesChangeNothingAndSaveTheFrozenPass(bool isContrast)
    {
        var tuning = isContrast ? Contrast : CrossEntropy;
        var rows = TinyEncoder.Texts(Few);
        var cache = new EncoderStateCache();

        var alone = Train(tuning, rows).AllValues();
        var first = Train(tuning, rows, config => config with { KeptStates = cache }).AllValues();
        var (kept, bytes) = (cache.Rows, cache.Bytes);
        var second = Train(tuning, rows, config => config with { KeptStates = cache }).AllValues();

        Assert.Equal(alone, first);
        Assert.Equal(alone, second);
        Assert.Equal(rows.Select(row => row.Text).Distinct().Count(), kept);
        Assert.Equal((kept, bytes), (cache.Rows, cache.Bytes));
        cache.Clear();
        Assert.Equal((0, 0L), (cache.Rows, cache.Bytes));
    }

    [Fact]
    public void AFullCacheKeepsNoMore()
    {
        var rows = TinyEncoder.Texts(Few);
        var cache = new EncoderStateCache(maximumBytes: 2000);

        Assert.Equal(Train(FineTuning.None, rows).AllValues(), Train(FineTuning.None, rows, config => config with { KeptStates = cache }).AllValues());
        Assert.InRange(cache.Rows, 1, rows.Count - 1);
        Assert.InRange(cache.Bytes, 1, 2000);
        Assert.Throws<ArgumentOutOfRangeException>(() => new EncoderStateCache(0));
    }

    [Theory]
    [MemberData(nameof(Losses))]
    public void TheSameSeedGivesTheSameModelWhateverTheThreads(bool isContrast)
    {
        var tuning = isContrast ? Contrast : CrossEntropy;
        using var two = new ManagedEngine(2);

        var model = Train(tuning, TinyEncoder.Texts(Few));

        Assert.Equal(model.AllValues(), Train(tuning, TinyEncoder.Texts(Few), engine: two).AllValues());
        Assert.NotEqual(
            model.AllValues(), Train(tuning, TinyEncoder.Texts(Few), config => config with { Training = config.Training with { Seed = 8 } }).AllValues());
    }

    [Theory]
    [MemberData(nameof(Losses))]
    public void ATunedEncoderIsTakenWhereItIsBetter(bool isContrast)
    {
        var log = new Log();
        var model = Train((isContrast ? Contrast : CrossEntropy) with { Epochs = 8 }, Memorable(), c => c with { LinearBranch = false }, observer: log);

        Assert.Contains(log.Messages, message => message.Contains("rows held out: log-loss", StringComparison.Ordinal));
        Assert.Equal(isContrast, log.Messages.Any(message => message.Contains("once more, on all", StringComparison.Ordinal)));
        AssertEncoderIsThePublishedOne(model, 1);
        Assert.Null(model.Branch);
    }

    [Theory]
    [MemberData(nameof(Losses))]
    public void AFrozenEncoderStaysWhereTuningMakesItWorse(bool isContrast)
    {
        var log = new Log();
        var harmful = (isContrast ? Contrast : CrossEntropy) with { Epochs = 1, LearningRate = 1f, HeadLearningRate = 1f };

        var model = Train(harmful, TinyEncoder.Texts(120), observer: log);

        Assert.Contains(log.Messages, message => message.Contains("rows held out: log-loss", StringComparison.Ordinal));
        Assert.Equal(Train(FineTuning.None, TinyEncoder.Texts(120)).AllValues(), model.AllValues());
    }

    [Fact]
    public void WithoutRowsToCompareByTheTableDoesNotDecideForTuning()
    {
        // more than twenty classes, of two rows each
        var rows = TinyEncoder.Texts(44, classes: 22);

        var model = Train(FineTuning.Auto, rows, classes: 22);

        AssertEncoderIsThePublishedOne(model, TinyEncoder.Layers);
    }

    [Fact]
    public void ValidationRowsDecideWhereTheyAreGiven()
    {
        var log = new Log();

        var model = Train(CrossEntropy, TinyEncoder.Texts(Few), validation: TinyEncoder.Texts(30, seed: 2), observer: log);

        Assert.Contains(log.Messages, message => message.Contains("on 30 rows that they have not learned from", StringComparison.Ordinal));
        Assert.Contains(log.Messages, message => message.Contains("On 30 rows held out", StringComparison.Ordinal));
        Assert.Equal(3, log.Epochs.Count);
        Assert.All(log.Epochs, report => Assert.NotNull(report.ValidationLoss));
        Assert.True(AccuracyOf(model) > 0.5);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void RowsOfWeightZeroDoNotCount(int layers)
    {
        var tuning = layers == 0 ? FineTuning.None : CrossEntropy;
        var rows = TinyEncoder.Texts(Few).Select(row => (row.Text, row.Label, 1f)).ToList();

        var model = Train(tuning, [.. rows, ("1234567", 2, 0f), .. TinyEncoder.Texts(20, seed: 9).Select(row => (row.Text, 2 - row.Label, 0f))]);

        Assert.Equal(Train(tuning, rows).AllValues(), model.AllValues());
    }

    [Fact]
    public void AWeightedClassIsOneOfWeightedRows()
    {
        var rows = TinyEncoder.Texts(Few).Select(row => (row.Text, Label: row.Label == 2 ? 1 : row.Label)).ToList();
        var weights = ClassWeights.For(rows.Select(row => row.Label), 2, ClassWeighting.Balanced);

        var ofClasses = Train(CrossEntropy, rows, c => c with { Training = c.Training with { ClassWeighting = ClassWeighting.Balanced } }, classes: 2);
        var ofRows = Train(CrossEntropy, [.. rows.Select(row => (row.Text, row.Label, weights[row.Label]))], classes: 2);

        Assert.Equal(ofRows.AllValues(), ofClasses.AllValues());
        Assert.NotEqual(Train(CrossEntropy, rows, classes: 2).AllValues(), ofClasses.AllValues());
    }

    [Fact]
    public void StoppedBeforeTheEncoderHasReadAllThereIsNoModel()
    {
        using var stop = new CancellationTokenSource();
        var log = new Log { Progress = (_, done, total) => Cancel(stop, done < total) };

        // more than are read at once
        Assert.Throws<OperationCanceledException>(() => Train(CrossEntropy, TinyEncoder.Texts(300), observer: log, stop: stop.Token));
    }

    [Theory]
    [MemberData(nameof(Losses))]
    public void StoppedWhileItIsTunedTheFrozenModelIsKept(bool isContrast)
    {
        var tuning = isContrast ? Contrast : CrossEntropy;
        var frozen = Train(FineTuning.None, TinyEncoder.Texts(60));
        foreach (var at in new[] { "step", "message", "Fine-tuned encoder" })
        {
            using var stop = new CancellationTokenSource();
            var log = new Log
            {
                Step = (_, _) => Cancel(stop, at == "step"),
                Message = text => Cancel(stop, at == "message" && text.Contains("Fine-tuning of", StringComparison.Ordinal)),
                Progress = (stage, _, _) => Cancel(stop, at == stage),
            };

            var model = Train(tuning, TinyEncoder.Texts(60), observer: log, stop: stop.Token);

            Assert.True(stop.IsCancellationRequested, at);
            // once all has been read, the comparison follows without a further look
            if (at != "Fine-tuned encoder")
                Assert.Equal(frozen.AllValues(), model.AllValues());
            Assert.True(AccuracyOf(model) > 0.5);
        }
    }

    [Fact]
    public void StoppedWhileItIsTunedOnAllRowsTheOneThatWasTunedOnMostIsKept()
    {
        using var stop = new CancellationTokenSource();
        var isAgain = false;
        var log = new Log
        {
            Message = text => isAgain |= text.Contains("once more", StringComparison.Ordinal),
            Step = (_, _) => Cancel(stop, isAgain),
        };

        var model = Train(Contrast with { Epochs = 8 }, Memorable(), c => c with { LinearBranch = false }, observer: log, stop: stop.Token);

        Assert.True(stop.IsCancellationRequested);
        AssertEncoderIsThePublishedOne(model, 1);
    }

    [Theory]
    [InlineData(false, 2, 2)]
    [InlineData(true, 2, 2)]
    [InlineData(true, 3, 1)]
    public void AnInterruptedTuningEndsAsOneThatWasNot(bool isContrast, int epoch, int step)
    {
        var tuning = isContrast ? Contrast : CrossEntropy;
        PublishedTextConfig Kept(PublishedTextConfig config) =>
            config with { Training = config.Training with { CheckpointFile = _folder["state.zip"] } };
        var whole = Train(tuning, TinyEncoder.Texts(Few));
        using var stop = new CancellationTokenSource();
        var log = new Log { Step = (e, s) => Cancel(stop, (e, s) == (epoch, step)) };

        Train(tuning, TinyEncoder.Texts(Few), Kept, observer: log, stop: stop.Token);
        Assert.Equal(["state.zip"], _folder.Files);
        var steps = new List<(int, int)>();
        var resumed = Train(tuning, TinyEncoder.Texts(Few), Kept, observer: new Log { Step = (e, s) => steps.Add((e, s)) });

        Assert.Equal((epoch, step + 1), steps[0]);
        Assert.Equal(whole.AllValues(), resumed.AllValues());
    }

    [Fact]
    public void AnObserverCanAbandonIt()
    {
        var config = FineTuning.TopLayers(1);
        Assert.Throws<OperationCanceledException>(() => Train(
            config, TinyEncoder.Texts(Few), observer: new Log { Step = (_, _) => throw new OperationCanceledException() }));
        Assert.Throws<OperationCanceledException>(() => Train(
            config, TinyEncoder.Texts(Few), observer: new Log { Progress = (_, _, _) => throw new OperationCanceledException() }));
    }

    [Fact]
    public void AnEncoderThatDoesNotKnowTheLanguageIsLeftOut()
    {
        var log = new Log();
        var rows = TinyEncoder.Texts(90).Select(row => (string.Concat(row.Text.Select(c => (char)(c - 'a' + 'α'))), row.Label)).ToList();

        var model = Train(FineTuning.Auto, rows, observer: log);

        Assert.IsNotType<PublishedTextInput>(model.Input);
        Assert.True(model.Experts > 0);
        Assert.Contains(log.Messages, message => message.Contains("does not know the texts' language", StringComparison.Ordinal));
        foreach (var tuning in new[] { FineTuning.None, FineTuning.TopLayers(1) })
            Assert.IsType<PublishedTextInput>(Train(tuning, rows).Input);
    }

    [Fact]
    public void TheLinearModelOfTheOneInItsPlaceLearnsFromAllRows()
    {
        // each row has a word of its own
        var rows = Enumerable.Range(0, 80).Select(i => ("ω" + new string((char)('α' + i % 24), 1 + i / 24) + " ψχ", i % 2)).ToList();
        Model<EncodedText> Of(float share) =>
            Train(FineTuning.Auto, rows, c => c with { Training = c.Training with { ValidationShare = share } }, classes: 2);

        Assert.Equal(Of(0f).Config.Linear!.Features, Of(0.25f).Config.Linear!.Features);
    }

    [Theory]
    [MemberData(nameof(Losses))]
    public void TextsOfAPairAreReadApartWhereTheEncoderIsFrozen(bool isTuned)
    {
        var pairs = TinyEncoder.Pairs(isTuned ? Few : 200);
        var trainer = TrainerOf(isTuned ? CrossEntropy : FineTuning.None, 2);
        Example<EncodedText>[] rows = [.. pairs.Select(p => new Example<EncodedText>(trainer.Input.Encode(p.First, p.Second), p.Label))];

        var model = trainer.Train(rows);

        Assert.Equal(isTuned ? TextWindows.Whole : TextWindows.Apart, ((PublishedTextInputConfig)model.Config.Input).Windows);
        Assert.Equal(!isTuned, model.Head is PairClassesHead);
        var others = TinyEncoder.Pairs(100, seed: 4);
        var scores = model.Scores([.. others.Select(p => model.Input.Encode(p.First, p.Second))]);
        var right = others.Index().Count(p => (scores[2 * p.Index + 1] > 0.5f) == (p.Item.Label == 1));
        Assert.True(isTuned || right > 85, $"{right} of 100");
        AssertSavedModelIsTheSame(model, [.. others.Take(5).Select(p => model.Input.Encode(p.First, p.Second))]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void OfLongTextsBothEndsAreRead(int layers)
    {
        // beyond sixteen tokens the encoder does not read
        var rows = TinyEncoder.Texts(Few, longest: 60);

        var model = Train(layers == 0 ? FineTuning.None : CrossEntropy, rows);

        var config = (PublishedTextInputConfig)model.Config.Input;
        Assert.Equal((TextWindows.BothEnds, 16), (config.Windows, config.MaximumTokens));
        Assert.Equal(2, ((PooledClassesHeadConfig)model.Config.Head).Windows);
        AssertEncoderIsThePublishedOne(model, layers == 0 ? TinyEncoder.Layers : TinyEncoder.Layers - layers);
        AssertSavedModelIsTheSame(model, [.. rows.Take(5).Select(row => model.Input.Encode(row.Text))]);
        var other = Train(FineTuning.None, rows, c => c with { MaximumTokens = 20 });
        Assert.Equal((TextWindows.Whole, 20), (((PublishedTextInputConfig)other.Config.Input).Windows, ((PublishedTextInputConfig)other.Config.Input).MaximumTokens));
    }

    [Theory]
    [InlineData(0, RouterStart.Random, false)]
    [InlineData(0, RouterStart.CentredKMeans, false)]
    [InlineData(0, RouterStart.CentredKMeans, true)]
    [InlineData(2, RouterStart.CentredRandom, false)]
    public void AnUpcycledEncoderRoutes(int layers, RouterStart start, bool isPair)
    {
        var upcycling = Upcycling.Copies(4) with { RouterStart = start };
        var trainer = TrainerOf(layers == 0 ? FineTuning.None : CrossEntropy, 2, upcycling: upcycling);
        Example<EncodedText>[] rows = isPair
            ? [.. TinyEncoder.Pairs(Few).Select(p => new Example<EncodedText>(trainer.Input.Encode(p.First, p.Second), p.Label))]
            : [.. TinyEncoder.Texts(Few, 2, longest: 60).Select(t => new Example<EncodedText>(trainer.Input.Encode(t.Text), t.Label))];

        var model = trainer.Train(rows);

        Assert.Equal((4, 1), (model.Experts, model.Config.Encoder.MoeLayers));
        EncodedText[] some = [.. (isPair ? TinyEncoder.Pairs(9, seed: 3) : [.. TinyEncoder.Texts(9, 2, 3, 40).Select(t => (t.Text, "", t.Label))])
            .Select(row => model.Input.Encode(row.Item1, isPair ? row.Item2 : null))];
        AssertSavedModelIsTheSame(model, some);
        if (start == RouterStart.CentredKMeans)
            // the routers have looked at rows: without, the bias is 0
            Assert.Contains(model.Values("layers.1.moe.router.bias"), value => Math.Abs(value) > 1e-3f);

        // two sequences are one row in all that is told of routers
        var entropies = new RowEntropy[some.Length];
        model.Score(some, new float[some.Length * 2], entropies);
        for (var i = 0; i < some.Length; i++)
        {
            var alone = new RowEntropy[1];
            model.Score([some[i]], new float[2], alone);
            Assert.Equal(alone[0].Mean, entropies[i].Mean, 1e-5f);
            Assert.Equal(alone[0].Max, entropies[i].Max, 1e-5f);
        }

        var report = model.ReportRouting(some);
        Assert.Equal((some.Length, some.Sum(row => (long)row.Length)), (report.Rows, report.Tokens));
        Assert.Equal(report.Layers[0].MeanEntropy, some.Zip(entropies, (row, e) => row.Length * (double)e.Mean).Sum() / report.Tokens, 1e-4);
    }

    [Fact]
    public void AGlobalWorkspaceIsCheckedAndTrained()
    {
        var settings = new GlobalWorkspaceSettings(0.5, EntropyUnit.ShareOfTokens);
        PublishedTextConfig In(PublishedTextConfig config) => config with { Training = config.Training with { GlobalWorkspace = settings } };
        PublishedTextConfig Elsewhere(PublishedTextConfig config) =>
            config with { Training = config.Training with { GlobalWorkspace = settings with { Blocks = [0] } } };
        Assert.ThrowsAny<ArgumentException>(() => TrainerOf(CrossEntropy, 3, Elsewhere, upcycling: Upcycling.Copies(4)));
        Assert.ThrowsAny<ArgumentException>(() => TrainerOf(CrossEntropy, 3, upcycling: Upcycling.Copies(4) with { Blocks = [TinyEncoder.Layers] }));
        var trainer = TrainerOf(FineTuning.AllLayers with { Epochs = 2 }, 3, In, upcycling: Upcycling.Copies(4));
        var log = new Log();

        trainer.Train([.. TinyEncoder.Texts(Few).Select(t => new Example<EncodedText>(trainer.Input.Encode(t.Text), t.Label))], observer: log);

        Assert.Equal(2, log.Epochs.Count);
    }

    private static void Cancel(CancellationTokenSource stop, bool now)
    {
        if (now)
            stop.Cancel();
    }

    /// <summary>
    /// Texts whose class the first letter tells alone: a mean over random states does not show it well.
    /// </summary>
    private static List<(string Text, int Label)> Memorable()
    {
        var random = new Random(3);
        return [.. Enumerable.Range(0, 150).Select(i =>
            ("ab"[i % 2] + string.Concat(Enumerable.Range(0, 9).Select(_ => (char)('a' + random.Next(26)))), i % 2))];
    }

    private PublishedTextTrainer TrainerOf(
        FineTuning tuning,
        int classes,
        Func<PublishedTextConfig, PublishedTextConfig>? change = null,
        Engine? engine = null,
        Upcycling? upcycling = null)
    {
        var config = new PublishedTextConfig
        {
            FineTuning = tuning,
            Training = new TrainingConfig { Seed = 7 },
            FromScratch = ToyTable.Config(2),
        };
        config = change?.Invoke(config) ?? config;
        return new PublishedTextTrainer(config, _tiny.Open(upcycling), classes, engine ?? _engine);
    }

    private Model<EncodedText> Train(
        FineTuning tuning,
        List<(string Text, int Label)> rows,
        Func<PublishedTextConfig, PublishedTextConfig>? change = null,
        int classes = 3,
        List<(string Text, int Label)>? validation = null,
        ITrainingObserver? observer = null,
        Engine? engine = null,
        CancellationToken stop = default)
    {
        var trainer = TrainerOf(tuning, classes, change, engine);
        return trainer.Train(Encoded(rows), validation is null ? null : Encoded(validation), observer, stop);

        Example<EncodedText>[] Encoded(List<(string Text, int Label)> texts) =>
            [.. texts.Select(row => new Example<EncodedText>(trainer.Input.Encode(row.Text), row.Label))];
    }

    private Model<EncodedText> Train(FineTuning tuning, List<(string Text, int Label, float Weight)> rows, int classes = 3)
    {
        var trainer = TrainerOf(tuning, classes);
        return trainer.Train([.. rows.Select(row => new Example<EncodedText>(trainer.Input.Encode(row.Text), row.Label, row.Weight))]);
    }

    private static double AccuracyOf(Model<EncodedText> model)
    {
        var rows = TinyEncoder.Texts(150, seed: 11);
        var scores = model.Scores([.. rows.Select(row => model.Input.Encode(row.Text))]);
        return rows.Index().Average(row => Measurement.IndexOfMaximum(scores.AsSpan(row.Index * 3, 3)) == row.Item.Label ? 1.0 : 0.0);
    }

    private void AssertEncoderIsThePublishedOne(Model<EncodedText> model, int layers)
    {
        var published = _tiny.Pooled(_engine);
        foreach (var (parameter, _) in published.Parameters.All.Where(p => !ClassifierHead.IsOfClasses(p.Parameter.Name)))
        {
            var isTuned = Enumerable.Range(layers, TinyEncoder.Layers - layers)
                .Any(l => parameter.Name.StartsWith($"layers.{l}.", StringComparison.Ordinal));
            Assert.Equal(!isTuned, parameter.Value.ToArray().AsSpan().SequenceEqual(model.Values(parameter.Name)));
        }
    }

    private void AssertSavedModelIsTheSame(Model<EncodedText> model, EncodedText[] rows)
    {
        var (config, weights) = model.Save();
        var loaded = ModelFiles.LoadText(new MemoryStream(config), new MemoryStream(weights), _engine, _tiny.Open().Tokenizer);
        Assert.Equal(model.Config, loaded.Config);
        Assert.Equal(model.Scores(rows), loaded.Scores(rows));
    }

    private sealed class Log : ITrainingObserver
    {
        public List<string> Messages { get; } = [];

        public List<EpochReport> Epochs { get; } = [];

        public Action<int, int>? Step { get; init; }

        public Action<string, int, int>? Progress { get; init; }

        public Action<string>? Message { get; init; }

        public void OnStep(int epoch, int step, int steps, double loss) => Step?.Invoke(epoch, step);

        public void OnEpoch(EpochReport report) => Epochs.Add(report);

        public void OnMessage(string message)
        {
            Messages.Add(message);
            Message?.Invoke(message);
        }

        public void OnProgress(string stage, int done, int total) => Progress?.Invoke(stage, done, total);
    }
}
