using Microsoft.ML.Data;
using Microsoft.ML.Moe.Evaluation;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Scoring;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.GeneratorTuning;

/// <summary>Classes that are told by what a model would write.</summary>
public sealed class ClassTextTests : IDisposable
{
    private readonly TunedGenerators _models = new();
    private readonly MLContext _ml = new(seed: 1);

    private static readonly string[] Classes = ["aa", "b", "bc"];

    public void Dispose() => _models.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ClassesAreLearnedAndEvaluatedByMlNet(bool isEncoderDecoder)
    {
        var test = Table(30, seed: 2);
        var pipeline = _ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(Trainer(o => (o.Model, o.MaxEpochs) = (isEncoderDecoder ? _models.Switch : _models.Olmoe, 20)))
            .Append(_ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"));
        var model = pipeline.Fit(Table(90));
        var metrics = _ml.MulticlassClassification.Evaluate(model.Transform(test));
        Assert.True(metrics.MicroAccuracy > 0.9, $"accuracy {metrics.MicroAccuracy}");
        Assert.True(metrics.LogLoss < 0.5, $"log-loss {metrics.LogLoss}");
        var predicted = model.Transform(test).GetColumn<string>("PredictedLabel").ToList();
        Assert.All(predicted, label => Assert.Contains(label, Classes));
        Assert.All(model.Transform(test).GetColumn<float[]>("Score"), scores => Assert.Equal(1, scores.Sum(), 1e-5));

        _ml.Model.Save(model, test.Schema, _models["model.zip"]);
        var loaded = _ml.Model.Load(_models["model.zip"], out _);
        Assert.Equal(model.Transform(test).GetColumn<float[]>("Score"), loaded.Transform(test).GetColumn<float[]>("Score"));
        SchemaAssert.Equal(model.GetOutputSchema(test.Schema), loaded.GetOutputSchema(test.Schema));
        (loaded as IDisposable)?.Dispose();
        model.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ScoresAreTheProbabilitiesOfTheTexts(bool isEncoderDecoder)
    {
        using var model = Fit(o => (o.Model, o.ScoringBatchSize) = (isEncoderDecoder ? _models.Switch : _models.Olmoe, 3));
        using var held = (ModelLease<Model<EncodedText>>)model.Hold();
        var rows = Rows(7);
        var scores = model.Transform(_ml.Data.LoadFromEnumerable(rows)).GetColumn<float[]>("Score").ToList();
        var generator = model.Generator;
        foreach (var (row, score) in rows.Zip(scores))
        {
            // each class by itself, forced upon the model's own way of writing
            var logs = Classes.Select(text =>
            {
                int[] ids = [.. generator.Files.Tokenizer.Encode(text), 1];
                return Forced(TextGenerator.View(held.Model), generator.Encode(row.Text).Ids!.Ids, ids);
            }).ToArray();
            var sum = logs.Sum(Math.Exp);
            Assert.Equal(logs.Select(log => Math.Exp(log) / sum), score.Select(s => (double)s), (a, b) => Math.Abs(a - b) < 1e-4);
        }
    }

    [Fact]
    public void WhatIsWrittenCountsWhereThatIsAskedFor()
    {
        using var model = Fit(o => (o.Reading, o.MaxEpochs) = (ClassReading.Written, 40));
        var scored = model.Transform(Keyed(Rows(30, seed: 2)));
        var scores = scored.GetColumn<float[]>("Score").ToList();
        Assert.All(scores, s => Assert.True(s.All(float.IsNaN) || (s.Count(v => v == 1) == 1 && s.Count(v => v == 0) == 2)));
        Assert.InRange(scores.Count(s => !float.IsNaN(s[0])), 25, 30);
        Assert.Equal(
            scores.Select(s => float.IsNaN(s[0]) ? 0u : (uint)(Array.IndexOf(s, 1f) + 1)), scored.GetColumn<uint>("PredictedLabel"));
        using var untrained = Fit(o => (o.Reading, o.LearningRate) = (ClassReading.Written, 1e-9f));
        Assert.Contains(0u, untrained.Transform(Keyed(Rows(5))).GetColumn<uint>("PredictedLabel"));

        // what is no class is wrong, in the evaluation as in the metric of the best epoch
        var reports = new List<EpochReport>();
        using var half = Fit(o =>
        {
            (o.Reading, o.MaxEpochs, o.Metric) = (ClassReading.Written, 3, TextMetric.Accuracy);
            (o.ValidationSet, o.EpochCompleted) = (Keyed(Rows(30, seed: 2)), reports.Add);
        });
        var told = half.Transform(Keyed(Rows(30, seed: 2)));
        var pairs = told.GetColumn<uint>("PredictedLabel").Zip(told.GetColumn<uint>("Label")).ToList();
        var metrics = TextEvaluation.Classes(told);
        Assert.Equal((30, pairs.Count(pair => pair.First == 0)), (metrics.Rows, metrics.Unreadable));
        Assert.Equal(100 * pairs.Average(pair => pair.First == pair.Second ? 1.0 : 0), metrics.Accuracy, 1e-9);
        Assert.Equal(reports.Max(report => report.Score!.Value), metrics.Accuracy, 1e-9);
    }

    [Fact]
    public void AdaptersCanStayBesideTheModelsFolder()
    {
        using var model = Fit(o => (o.Adaptation, o.MergesAdapters, o.MaxEpochs) = (new LowRankAdaptation(), false, 3));
        var table = Keyed(Rows(9));
        _ml.Model.Save(model, table.Schema, _models["model.zip"]);
        using var loaded = (MoeTextToTextClassificationTransformer)_ml.Model.Load(_models["model.zip"], out _);
        Assert.Equal(model.Transform(table).GetColumn<float[]>("Score"), loaded.Transform(table).GetColumn<float[]>("Score"));
    }

    [Fact]
    public void AdaptersCanBeSavedAndMerged()
    {
        using var model = Fit(o => (o.Adaptation, o.MergesAdapters, o.MaxEpochs) = (new LowRankAdaptation(), false, 3));
        var table = Keyed(Rows(9));
        Assert.Contains("Merged()", Assert.Throws<InvalidOperationException>(() => model.SaveHuggingFace(_models["none"])).Message, StringComparison.Ordinal);
        using var merged = model.Merged();
        AssertClose(Scores(model), Scores(merged));
        Assert.Throws<InvalidOperationException>(() => merged.SaveAdapters(_models["none"]));
        Assert.Throws<InvalidOperationException>(merged.Merged);

        // a classifier that begins with either does not learn anything new here
        model.SaveAdapters(_models["adapters"]);
        using var adapted = Fit(o => (o.Model, o.LearningRate) = (_models.Switch.WithAdapters(_models["adapters"]), 1e-9f));
        AssertClose(Scores(model), Scores(adapted));
        merged.SaveHuggingFace(_models["merged"]);
        using var published = Fit(o => (o.Model, o.LearningRate) = (PublishedModel.FromFolder(_models["merged"]), 1e-9f));
        AssertClose(Scores(model), Scores(published));

        _ml.Model.Save(merged, table.Schema, _models["model.zip"]);
        Directory.Delete(_models["switch"], recursive: true);
        using var loaded = (MoeTextToTextClassificationTransformer)_ml.Model.Load(_models["model.zip"], out _);
        Assert.Equal(Scores(merged), Scores(loaded));

        float[] Scores(ITransformer of) => [.. of.Transform(table).GetColumn<float[]>("Score").SelectMany(scores => scores)];
        void AssertClose(float[] expected, float[] actual) => Assert.Equal(expected, actual, (a, b) => MathF.Abs(a - b) < 1e-4f);
    }

    [Fact]
    public void TextsOfClassesCanBeGiven()
    {
        using var model = Fit(o => o.ClassTexts = ["x", "y", "z"]);
        Assert.Equal(["x", "y", "z"], model.ClassTexts);
        VBuffer<ReadOnlyMemory<char>> names = default;
        model.GetOutputSchema(Keyed(Rows(3)).Schema)["PredictedLabel"].GetKeyValues(ref names);
        Assert.Equal(Classes, names.DenseValues().Select(n => n.ToString()).Order());
    }

    [Fact]
    public void TheBestEpochCanBeTheMostAccurate()
    {
        var validation = Rows(20, seed: 3);
        var reports = new List<EpochReport>();
        var labels = _ml.Transforms.Conversion.MapValueToKey("Label").Fit(Table(90));
        using var model = Trainer(o =>
        {
            (o.MaxEpochs, o.Metric) = (4, TextMetric.Accuracy);
            (o.ValidationSet, o.EpochCompleted) = (labels.Transform(_ml.Data.LoadFromEnumerable(validation)), reports.Add);
        }).Fit(labels.Transform(Table(60)));
        var best = reports.MaxBy(r => r.Score)!;
        Assert.Equal(best.Epoch, reports.Last(r => r.IsBest).Epoch);
        var metrics = _ml.MulticlassClassification.Evaluate(model.Transform(labels.Transform(_ml.Data.LoadFromEnumerable(validation))));
        Assert.Equal(best.Score!.Value, 100 * metrics.MicroAccuracy, 1e-9);
    }

    [Fact]
    public void OfATableInTheOrderOfItsClassesAllAreMeasured()
    {
        var reports = new List<EpochReport>();
        // nearly all are of one class, which the model comes to say of every row
        var training = Keyed([.. Rows(90).Where(row => row.Label == Classes[0]), .. Rows(2)]);
        using var model = Trainer(o =>
        {
            (o.MaxEpochs, o.Metric, o.MetricRows, o.EpochCompleted) = (6, TextMetric.Accuracy, 3, reports.Add);
            o.ValidationSet = Keyed(Rows(30, seed: 3).OrderBy(row => row.Label));
        }).Fit(training);
        Assert.Equal(100.0 / 3, reports[^1].Score!.Value, 1e-9);
    }

    [Fact]
    public void SchemasAgreeAndAnotherRouterCanBeTaken()
    {
        var trainer = Trainer(_ => { });
        var table = Keyed(Rows(30));
        using var model = trainer.Fit(table);
        var schema = model.GetOutputSchema(table.Schema);
        SchemaAssert.Equal(schema, model.Transform(table).Schema);
        SchemaAssert.Equal(SchemaAssert.ShapeOf(schema), trainer.GetOutputSchema(SchemaAssert.ShapeOf(table.Schema)));
        using var unified = model.WithRouting(Router.Unified(2));
        Assert.Equal(RouterKind.Unified, unified.Router.Kind);
        Assert.NotEqual(model.Transform(table).GetColumn<float[]>("Score").First(), unified.Transform(table).GetColumn<float[]>("Score").First());
        Assert.True(model.ReportRouting(table).Layers[0].Tokens >= 60);
    }

    [Fact]
    public void WhatCannotBeIsNamed()
    {
        AssertRefused("ClassTexts", o => o.ClassTexts = ["a", "a"]);
        AssertRefused("ClassTexts", o => o.ClassTexts = ["a", " "]);
        AssertRefused("RougeL", o => (o.Metric, o.ValidationShare) = (TextMetric.RougeL, 0.2f));
        AssertRefused("LabelColumnName", o => o.LabelColumnName = "");
        Assert.Throws<ArgumentOutOfRangeException>(() => MoeTextToTextClassificationTrainer.Options.Glue(GlueTask.Stsb));
        Assert.Contains("3 key values", Assert.Throws<InvalidOperationException>(() => Fit(o => o.ClassTexts = ["a", "b"])).Message, StringComparison.Ordinal);
        // letters of which the tokenizer knows none are all the same to it
        Assert.Contains("the same text", Assert.Throws<ArgumentException>(() => Fit(o => o.ClassTexts = ["Ä", "Ö", "c"])).Message, StringComparison.Ordinal);
        Assert.Contains("must be a key", Assert.Throws<ArgumentOutOfRangeException>(() => Trainer(_ => { }).Fit(Table(9))).Message, StringComparison.Ordinal);

        void AssertRefused(string option, Action<MoeTextToTextClassificationTrainer.Options> change) =>
            Assert.Contains(option, Assert.ThrowsAny<ArgumentException>(() => Trainer(change)).Message, StringComparison.Ordinal);
    }

    private static double Forced(IGenerativeModel model, int[] prompt, int[] continuation)
    {
        using var decoding = model.Begin([prompt], 1, continuation.Length);
        var scores = new float[model.VocabularySize];
        var sum = 0.0;
        for (var i = 0; i < continuation.Length; i++)
        {
            decoding.Next(i == 0 ? [] : [continuation[i - 1]], scores);
            sum += scores[continuation[i]] - Math.Log(scores.Sum(s => Math.Exp(s)));
        }

        return sum;
    }

    private static List<Row> Rows(int count, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(i => new Row
        {
            Text = string.Concat(Enumerable.Range(0, random.Next(1, 4)).Select(_ => (char)('x' - 3 * (i % 3)))),
            Label = Classes[i % 3],
        })];
    }

    private IDataView Table(int count, int seed = 1) => _ml.Data.LoadFromEnumerable(Rows(count, seed));

    private IDataView Keyed(IEnumerable<Row> rows)
    {
        var table = _ml.Data.LoadFromEnumerable(rows);
        return _ml.Transforms.Conversion.MapValueToKey("Label", keyData: _ml.Data.LoadFromEnumerable(Classes.Select(c => new Key { Label = c })))
            .Fit(table).Transform(table);
    }

    private MoeTextToTextClassificationTrainer Trainer(Action<MoeTextToTextClassificationTrainer.Options> change)
    {
        var options = new MoeTextToTextClassificationTrainer.Options
        {
            Model = _models.Switch,
            MaxEpochs = 1,
            BatchSize = 8,
            LearningRate = 0.01f,
            Threads = 1,
            Device = MoeDevice.Cpu,
        };
        change(options);
        return _ml.MulticlassClassification.Trainers.MoeTextToText(options);
    }

    private MoeTextToTextClassificationTransformer Fit(Action<MoeTextToTextClassificationTrainer.Options> change) => Trainer(change).Fit(Keyed(Rows(60)));

    private sealed class Row
    {
        public string Text { get; set; } = "";

        public string Label { get; set; } = "";
    }

    private sealed class Key
    {
        public string Label { get; set; } = "";
    }
}
