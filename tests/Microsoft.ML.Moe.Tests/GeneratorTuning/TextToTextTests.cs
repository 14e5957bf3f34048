using Microsoft.ML.Data;
using Microsoft.ML.Moe.Evaluation;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Training;
using static Microsoft.ML.Moe.Tests.GeneratorTuning.TunedGenerators;

namespace Microsoft.ML.Moe.Tests.GeneratorTuning;

/// <summary>An encoder–decoder learns to write one text to another.</summary>
public sealed class TextToTextTests : IDisposable
{
    private readonly TunedGenerators _models = new();
    private readonly MLContext _ml = new(seed: 1);
    private readonly List<string> _log = [];

    public TextToTextTests() => _ml.Log += (_, e) => _log.Add($"{e.Kind}: {e.RawMessage}");

    public void Dispose() => _models.Dispose();

    [Fact]
    public void ATaskIsLearnedSavedAndLoaded()
    {
        var (training, test) = (LetterRows(160), LetterRows(40, seed: 2));
        var reports = new List<EpochReport>();
        using var model = Fit(training, o => (o.MaxEpochs, o.EpochCompleted) = (40, reports.Add));
        Assert.True(reports[^1].TrainingLoss < reports[0].TrainingLoss / 2);
        using var untrained = Fit(training, o => (o.MaxEpochs, o.LearningRate) = (1, 1e-9f));
        var (before, after) = (Accuracy(_ml, untrained, test), Accuracy(_ml, model, test));
        Assert.True(before < 0.3, $"untrained {before}");
        Assert.True(after > 0.8, $"trained {after}");

        _ml.Model.Save(model, Table(test).Schema, _models["model.zip"]);
        using var loaded = (MoeTextGenerationTransformer)_ml.Model.Load(_models["model.zip"], out _);
        Assert.Equal(Write(_ml, model, test), Write(_ml, loaded, test));
        Assert.Equal(model.Generation, loaded.Generation);
        Assert.Equal(model.Generate(["source: abca."]).Select(a => a.Tokens), loaded.Generate(["source: abca."]).Select(a => a.Tokens));
    }

    [Fact]
    public void APromptHasColumnsAndWordsAndIsKeptInTheFile()
    {
        using var model = Fit(LetterRows(12), o => o.Prompt = "q {Source} in {Context}");
        var row = LetterRows(1)[0];
        row.Context = "dd";
        var written = Write(_ml, model, [row])[0];
        Assert.Equal(model.Generate([$"q {row.Source} in dd"])[0].Text, written);
        _ml.Model.Save(model, Table([row]).Schema, _models["model.zip"]);
        using var loaded = (MoeTextGenerationTransformer)_ml.Model.Load(_models["model.zip"], out _);
        Assert.Equal(written, Write(_ml, loaded, [row])[0]);
        var missing = Assert.Throws<ArgumentOutOfRangeException>(
            () => loaded.Transform(_ml.Data.LoadFromEnumerable(new[] { new AnswerRow() })));
        Assert.Contains("'Source'", missing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void SchemasAgreeAndTheTargetIsNotNeededAfterwards()
    {
        var estimator = Trainer(o => (o.TokenCountColumnName, o.LogProbabilityColumnName, o.RouterEntropyColumnName) = ("Tokens", "Log", "Entropy"));
        using var model = estimator.Fit(Table(LetterRows(8)));
        var bare = _ml.Data.LoadFromEnumerable(new[] { new { Source = "ab" } });
        var schema = model.GetOutputSchema(Table([]).Schema);
        SchemaAssert.Equal(schema, model.Transform(Table([])).Schema);
        SchemaAssert.Equal(schema, ((ITransformer)model).GetRowToRowMapper(Table([]).Schema).OutputSchema);
        SchemaAssert.Equal(SchemaAssert.ShapeOf(schema), estimator.GetOutputSchema(SchemaAssert.ShapeOf(Table([]).Schema)));
        Assert.Equal(["Source", "Prediction", "Log", "Tokens", "Entropy"], model.Transform(bare).Schema.Select(c => c.Name));
        Assert.InRange(model.Transform(bare).GetColumn<float>("Entropy").Single(), 0, Math.Log(4) + 1e-3);
    }

    [Fact]
    public void TheSameSeedGivesTheSameModelOnAnyNumberOfThreads()
    {
        string[] Scores(Action<MoeTextToTextTrainer.Options> change, MLContext? ml = null)
        {
            using var model = Fit(LetterRows(20), o =>
            {
                (o.LogProbabilityColumnName, o.MaxEpochs) = ("Log", 2);
                change(o);
            }, ml);
            return [.. model.Transform(Table(LetterRows(6))).GetColumn<float>("Log").Select(v => v.ToString("R"))];
        }

        var one = Scores(o => o.Threads = 1);
        Assert.Equal(one, Scores(o => o.Threads = 2));
        Assert.Equal(one, Scores(o => (o.Seed, o.Threads) = (1, 1), new MLContext(seed: 5)));
        Assert.NotEqual(one, Scores(o => o.Seed = 2));
    }

    [Fact]
    public void AnInterruptedTrainingIsTakenUpAgain()
    {
        Action<MoeTextToTextTrainer.Options> three = o => (o.MaxEpochs, o.ValidationShare, o.Metric) = (3, 0.2f, TextMetric.ExactMatch);
        using var whole = Fit(LetterRows(30), three);
        var cancelled = new MLContext(seed: 1);
        Assert.ThrowsAny<OperationCanceledException>(() => Fit(
            LetterRows(30),
            o =>
            {
                three(o);
                o.CheckpointFile = _models["state"];
                o.EpochCompleted = _ => cancelled.Cancel();
            },
            cancelled));
        Assert.True(File.Exists(_models["state"]));
        var epochs = new List<int>();
        using var resumed = Fit(LetterRows(30), o =>
        {
            three(o);
            (o.CheckpointFile, o.EpochCompleted) = (_models["state"], report => epochs.Add(report.Epoch));
        });
        Assert.Equal([2, 3], epochs);
        Assert.Equal(LogProbabilities(whole), LogProbabilities(resumed));
    }

    [Fact]
    public void AWorkspaceTrainsOtherwiseAndCostsNothingAfterwards()
    {
        using var plain = Fit(LetterRows(30), o => (o.MaxEpochs, o.FreezeRouter) = (2, true));
        using var never = Fit(LetterRows(30), o =>
            (o.MaxEpochs, o.FreezeRouter, o.GlobalWorkspace) = (2, true, new GlobalWorkspaceSettings(2, EntropyUnit.Nats)));
        using var workspace = Fit(LetterRows(30), o => (o.MaxEpochs, o.FreezeRouter, o.GlobalWorkspace) = (2, true, new GlobalWorkspaceSettings(0.5)));
        // ln 4 < 2: no token is uncertain
        Assert.Equal(LogProbabilities(plain), LogProbabilities(never));
        Assert.NotEqual(LogProbabilities(plain), LogProbabilities(workspace));
        Assert.Equal(plain.Router, workspace.Router);
        var report = workspace.ReportRouting(Table(LetterRows(5)));
        Assert.All(report.Layers, layer => Assert.True(layer.ExpertsPerToken <= 1));
    }

    [Fact]
    public void AnotherRouterStaysInTheModel()
    {
        using var model = Fit(LetterRows(12), o => o.Router = Router.Unified(1.5, 0.3));
        Assert.Equal(RouterKind.Unified, model.Router.Kind);
        _ml.Model.Save(model, Table([]).Schema, _models["model.zip"]);
        using var loaded = (MoeTextGenerationTransformer)_ml.Model.Load(_models["model.zip"], out _);
        Assert.Equal(model.Router, loaded.Router);
        Assert.Equal(LogProbabilities(model), LogProbabilities(loaded));
    }

    [Theory]
    [InlineData(TextMetric.ExactMatch)]
    [InlineData(TextMetric.F1)]
    [InlineData(TextMetric.RougeL)]
    [InlineData(TextMetric.RougeLsum)]
    public void TheBestEpochIsThatWithTheBestAnswers(TextMetric metric)
    {
        var validation = LetterRows(12, seed: 3);
        var reports = new List<EpochReport>();
        using var model = Fit(LetterRows(60), o =>
        {
            (o.MaxEpochs, o.Metric, o.MetricRows, o.ValidationSet) = (6, metric, 8, Table(validation));
            o.EpochCompleted = reports.Add;
        });
        var best = reports.MaxBy(r => r.Score)!;
        Assert.Equal(best.Epoch, reports.Last(r => r.IsBest).Epoch);
        // what was measured is what the model of that epoch writes, to rows from all over the table
        var measured = _ml.Data.LoadFromEnumerable(Enumerable.Range(0, 8).Select(i => validation[i * 12 / 8]));
        var table = model.Transform(measured);
        var score = metric switch
        {
            TextMetric.ExactMatch => TextEvaluation.Squad(table, answersColumnName: "Target").ExactMatch,
            TextMetric.F1 => TextEvaluation.Squad(table, answersColumnName: "Target").F1,
            TextMetric.RougeL => TextEvaluation.Rouge(table, referenceColumnName: "Target").RougeL.F1,
            _ => TextEvaluation.Rouge(table, referenceColumnName: "Target").RougeLsum.F1,
        };
        Assert.Equal(score, best.Score!.Value, 1e-9);
    }

    [Fact]
    public void OfSeveralTargetsTheFirstIsLearnedAndAllAreRight()
    {
        using var first = Fit(LetterRows(20), o => o.MaxEpochs = 2);
        using var several = Fit(LetterRows(20), o => (o.MaxEpochs, o.TargetColumnName) = (2, "Targets"));
        Assert.Equal(LogProbabilities(first), LogProbabilities(several));
    }

    [Fact]
    public void RowsWithoutTargetAreLeftOutAndLongOnesCutAndBothAreTold()
    {
        var rows = LetterRows(12);
        (rows[2].Target, rows[5].Target) = ("", "  ");
        rows[3].Source = new string('a', 30);
        rows[4].Target = new string('b', 30);
        using var model = Fit(rows, o => (o.MaximumSourceTokens, o.MaximumTargetTokens) = (10, 6));
        Assert.Contains(_log, l => l == "Warning: 2 training rows are left out: there is nothing to learn in column 'Target'; the first is row 3.");
        Assert.Contains(_log, l => l.Contains("what is read is longer than MaximumSourceTokens = 10; 21 tokens are cut off", StringComparison.Ordinal));
        Assert.Contains(_log, l => l.Contains("what is to be written is longer than MaximumTargetTokens = 6; 25 tokens are cut off", StringComparison.Ordinal));
        Assert.Contains(_log, l => l.Contains("on 10 rows", StringComparison.Ordinal));
        Assert.Equal(6, model.Generation.MaximumNewTokens);
        var nothing = Assert.Throws<InvalidOperationException>(() => Fit([new LetterRow { Source = "a" }]));
        Assert.Contains("'Target'", nothing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheStopTokenKeepsWhatWasLearned()
    {
        using var stop = new CancellationTokenSource();
        using var model = Fit(LetterRows(20), o =>
        {
            (o.MaxEpochs, o.StopToken) = (1000, stop.Token);
            o.EpochCompleted = _ => stop.Cancel();
        });
        Assert.Contains(_log, l => l.StartsWith("Warning: Training was stopped early", StringComparison.Ordinal));
        Assert.Equal(3, Write(_ml, model, LetterRows(3)).Length);
        Assert.ThrowsAny<OperationCanceledException>(() => Fit(LetterRows(20), o => o.StopToken = stop.Token));
    }

    [Fact]
    public void WhatCannotBeIsNamed()
    {
        AssertRefused("Model", o => o.Model = null);
        AssertRefused("SourceColumnName", o => o.SourceColumnName = "");
        AssertRefused("Prompt", o => o.Prompt = "{Target}");
        AssertRefused("OutputColumnName", o => o.OutputColumnName = "Source");
        AssertRefused("MaximumTargetTokens", o => o.MaximumTargetTokens = 1);
        AssertRefused("RouterLearningRate", o => o.RouterLearningRate = -1);
        AssertRefused("Metric", o => o.Metric = TextMetric.RougeL);
        AssertRefused("Accuracy", o => (o.Metric, o.ValidationShare) = (TextMetric.Accuracy, 0.1f));
        AssertRefused("MetricRows", o => o.MetricRows = 0);
        AssertRefused("ColumnName", o => o.Windows = new ContextWindows { ColumnName = "Context" });
        AssertRefused("Overlap", o => o.Windows = new ContextWindows { Overlap = 600 });
        AssertRefused("EarlyStoppingPatience", o => o.EarlyStoppingPatience = 2);
        AssertRefused("AccumulationSteps", o => o.AccumulationSteps = 99);

        Assert.Contains("'Number'", Assert.Throws<ArgumentOutOfRangeException>(() => Fit(LetterRows(4), o => o.SourceColumnName = "Number")).Message, StringComparison.Ordinal);
        Assert.Contains("'Nowhere'", Assert.Throws<ArgumentOutOfRangeException>(() => Fit(LetterRows(4), o => o.TargetColumnName = "Nowhere")).Message, StringComparison.Ordinal);
        Assert.Contains("'Nowhere'", Assert.Throws<ArgumentOutOfRangeException>(
            () => Trainer(o => o.TargetColumnName = "Nowhere").GetOutputSchema(SchemaAssert.ShapeOf(Table([]).Schema))).Message, StringComparison.Ordinal);
        Assert.Contains("MoeLanguageModel", Assert.Throws<InvalidOperationException>(() => Fit(LetterRows(4), o => o.Model = _models.Olmoe)).Message, StringComparison.Ordinal);
        Assert.Throws<DirectoryNotFoundException>(() => Fit(LetterRows(4), o => o.Model = PublishedModel.FromFolder(_models["none"])));

        void AssertRefused(string option, Action<MoeTextToTextTrainer.Options> change) =>
            Assert.Contains(option, Assert.ThrowsAny<ArgumentException>(() => Trainer(change)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void PresetsAreThePapers()
    {
        var glue = MoeTextToTextTrainer.Options.Glue(GlueTask.Mrpc, "A", "B");
        Assert.Equal("mrpc sentence1: {A} sentence2: {B}", glue.Prompt!.ToString());
        Assert.Equal((1e-5f, 32, 10, 0.1f, 0f), (glue.LearningRate, glue.BatchSize, glue.MaxEpochs, glue.WeightDecay, glue.WarmupShare));
        Assert.Equal((true, 0.001f, 0f, 256), (glue.FreezeRouter, glue.LoadBalancingCoefficient, glue.RouterZLossCoefficient, glue.MaximumSourceTokens));
        Assert.Equal((1.6, 8, 1), (glue.GlobalWorkspace!.Threshold, glue.GlobalWorkspace.MaxTokensPerSequence, glue.GlobalWorkspace.MaxTokensPerDecoderSequence));
        var summaries = MoeTextToTextTrainer.Options.Summarisation("Article");
        Assert.Equal("summarize:{Article}", summaries.Prompt!.ToString());
        Assert.Equal((6, 3, 10, 60), (summaries.Generation!.Beams, summaries.Generation.NoRepeatNGramSize, summaries.Generation.MinimumLength, summaries.Generation.MaximumLength));
        Assert.Equal((5e-5f, 64, 0.1f), (summaries.LearningRate, summaries.BatchSize, summaries.WarmupShare));
        var questions = MoeTextToTextTrainer.Options.QuestionAnswering("Q", "C");
        Assert.Equal("question: {Q} context: {C}", questions.Prompt!.ToString());
        Assert.Equal((384, 30, 128, "C"), (questions.MaximumSourceTokens, questions.MaximumTargetTokens, questions.Windows!.Overlap, questions.Windows.ColumnName));
    }

    [Fact]
    public void ThePresetForSummariesTakesRougeWhereThereAreValidationRows()
    {
        var options = MoeTextToTextTrainer.Options.Summarisation("Source");
        Assert.Equal(TextMetric.Loss, options.Metric);
        Assert.Empty(Scores());
        options.ValidationShare = 0.25f;
        Assert.Equal(TextMetric.RougeLsum, options.Metric);
        Assert.Equal(2, Scores().Count);
        (options.ValidationShare, options.ValidationSet) = (0f, Table(LetterRows(5, seed: 2)));
        Assert.Equal(TextMetric.RougeLsum, options.Metric);

        options.Metric = TextMetric.Loss;
        Assert.Equal(TextMetric.Loss, options.Metric);
        Assert.Empty(Scores());
        (options.Metric, options.ValidationSet) = (TextMetric.RougeLsum, null);
        Assert.StartsWith("Metric = RougeLsum needs validation rows", Assert.Throws<ArgumentException>(options.Validate).Message, StringComparison.Ordinal);

        List<double> Scores()
        {
            var scores = new List<double>();
            (options.Model, options.GlobalWorkspace, options.MaxEpochs, options.Device) = (_models.Switch, null, 2, MoeDevice.Cpu);
            options.EpochCompleted = report => scores.AddRange(report.Score is { } score ? [score] : []);
            _ml.Transforms.Text.MoeTextToText(options).Fit(Table(LetterRows(12))).Dispose();
            return scores;
        }
    }

    private static MoeTextToTextTrainer.Options Options(PublishedModel model) => new()
    {
        Model = model,
        MaxEpochs = 1,
        BatchSize = 8,
        LearningRate = 0.01f,
        MaximumTargetTokens = 8,
        Threads = 1,
        Device = MoeDevice.Cpu,
    };

    private static float[] LogProbabilities(MoeTextGenerationTransformer model) =>
        [.. model.Generate([.. LetterRows(8, seed: 4).Select(r => r.Source)]).Select(a => (float)a.LogProbability)];

    private MoeTextToTextTrainer Trainer(Action<MoeTextToTextTrainer.Options>? change = null, MLContext? ml = null)
    {
        var options = Options(_models.Switch);
        change?.Invoke(options);
        return (ml ?? _ml).Transforms.Text.MoeTextToText(options);
    }

    private MoeTextGenerationTransformer Fit(IEnumerable<LetterRow> rows, Action<MoeTextToTextTrainer.Options>? change = null, MLContext? ml = null) =>
        Trainer(change, ml).Fit((ml ?? _ml).Data.LoadFromEnumerable(rows));

    private IDataView Table(IEnumerable<LetterRow> rows) => _ml.Data.LoadFromEnumerable(rows);
}
