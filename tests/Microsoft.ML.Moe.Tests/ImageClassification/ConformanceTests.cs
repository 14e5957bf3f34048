using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests.ImageClassification;

/// <summary>What ML.NET expects of every estimator and transformer.</summary>
public sealed class ConformanceTests
{
    private readonly MLContext _ml = new(seed: 1);

    public static TheoryData<bool> FilesOrPixels => [true, false];

    [Theory]
    [MemberData(nameof(FilesOrPixels))]
    public void AllSchemasAreTheSame(bool files)
    {
        var data = _ml.Data.LoadFromEnumerable(ImageTables.Rows());
        data = _ml.Transforms.Conversion.MapValueToKey("Label").Fit(data).Transform(data);
        var trainer = ImageModels.Trainer(_ml, Input(files));
        using var transformer = trainer.Fit(data);
        var schema = transformer.GetOutputSchema(data.Schema);

        SchemaAssert.Equal(schema, transformer.Transform(data).Schema);
        SchemaAssert.Equal(schema, ((ITransformer)transformer).GetRowToRowMapper(data.Schema).OutputSchema);
        SchemaAssert.Equal(schema, Reload(transformer, data.Schema).GetOutputSchema(data.Schema));
        SchemaAssert.Equal(SchemaAssert.ShapeOf(schema), trainer.GetOutputSchema(SchemaAssert.ShapeOf(data.Schema)));
        Assert.Equal("lying|standing|none", SchemaAssert.AnnotationText(schema["Score"].Annotations, "SlotNames"));
        Assert.Equal("lying|standing|none", SchemaAssert.AnnotationText(schema["PredictedLabel"].Annotations, "KeyValues"));
    }

    [Theory]
    [MemberData(nameof(FilesOrPixels))]
    public void LearnsAndEvaluates(bool files)
    {
        using var model = ImageModels.Fit(_ml, Input(files));
        var test = _ml.Data.LoadFromEnumerable(ImageTables.Rows(60, seed: 2));
        var metrics = _ml.MulticlassClassification.Evaluate(model.Transform(test));
        Assert.True(metrics.MicroAccuracy > 0.9, $"accuracy {metrics.MicroAccuracy}");
    }

    [Fact]
    public void FilesAndPixelsOfTheSameImagesGiveTheSameModel()
    {
        using var fromFiles = ImageModels.Fit(_ml, ImageModels.Files);
        using var fromPixels = ImageModels.Fit(_ml);
        Models.AssertSame(
            ImageModels.Score(_ml, fromFiles, ImageTables.Rows()), ImageModels.Score(_ml, fromPixels, ImageTables.Rows()));
    }

    [Theory]
    [MemberData(nameof(FilesOrPixels))]
    public void SavedAndReloadedScoresAreEqual(bool files)
    {
        using var model = ImageModels.Fit(_ml, Input(files));
        using var again = (IDisposable)Reload(model, inputSchema: null);
        Models.AssertSame(
            ImageModels.Score(_ml, model, ImageTables.Rows()), ImageModels.Score(_ml, (ITransformer)again, ImageTables.Rows()));
    }

    [Fact]
    public void AFreshProcessFindsTheLoader()
    {
        using var folder = new TemporaryFolder();
        using var model = ImageModels.Fit(_ml);
        _ml.Model.Save(model.LastTransformer, null, folder["m.zip"]);
        var rows = ImageTables.Rows(10, seed: 3);

        var scores = FreshProcess.Score(folder["m.zip"], rows.Select(r => r.Features));

        Assert.Equal(ImageModels.Score(_ml, model, rows).Select(p => p.Score), scores);
    }

    [Fact]
    public void CrossValidates()
    {
        var folds = _ml.MulticlassClassification.CrossValidate(
            _ml.Data.LoadFromEnumerable(ImageTables.Rows()), ImageModels.Pipeline(_ml), numberOfFolds: 3);
        Assert.All(folds, fold => Assert.True(fold.Metrics.MicroAccuracy > 0.7, $"accuracy {fold.Metrics.MicroAccuracy}"));
    }

    [Fact]
    public void APredictionEngineScoresOneImage()
    {
        using var model = ImageModels.Fit(_ml, ImageModels.Files);
        var rows = ImageTables.Rows(20, seed: 3);
        var expected = ImageModels.Score(_ml, model, rows);
        using var engine = _ml.Model.CreatePredictionEngine<ImageRow, Prediction>(model);
        var predictions = rows.Select(row =>
        {
            var prediction = new Prediction();
            engine.Predict(row, ref prediction);
            return prediction;
        }).ToList();
        for (var i = 0; i < rows.Count; i++)
        {
            Assert.Equal(expected[i].PredictedLabel, predictions[i].PredictedLabel);
            Assert.Equal(expected[i].Score, predictions[i].Score, (a, b) => Math.Abs(a - b) < 1e-5f);
        }
    }

    [Fact]
    public void RoutersCanBeExchangedComparedAndReported()
    {
        using var model = ImageModels.Fit(_ml);
        var data = _ml.Data.LoadFromEnumerable(ImageTables.Rows(60, seed: 2));
        var classifier = model.LastTransformer;
        using var both = classifier.WithRouting(classifier.Router with { ExpertsPerToken = 2 });
        using var withEntropy = classifier.WithRouterEntropy();

        var compared = classifier.CompareRouting(data, [classifier.Router, both.Router]);
        Assert.Equal([1, 2], compared.Select(c => c.ExpertsPerToken));
        Assert.Equal(60, classifier.ReportRouting(data).Rows);
        Assert.NotNull(withEntropy.Transform(data).Schema.GetColumnOrNull("RouterEntropy"));
        Assert.NotEqual(
            ImageModels.Score(_ml, classifier, ImageTables.Rows(3)).Select(p => p.Score),
            ImageModels.Score(_ml, both, ImageTables.Rows(3)).Select(p => p.Score));
    }

    [Fact]
    public void AValidationSetChoosesTheBestEpoch()
    {
        var reports = new List<Microsoft.ML.Moe.Training.EpochReport>();
        using var model = ImageModels.Fit(_ml, o =>
        {
            o.ValidationSet = _ml.Data.LoadFromEnumerable(ImageTables.Rows(60, seed: 2));
            o.EpochCompleted = reports.Add;
        });
        Assert.Equal(6, reports.Count);
        Assert.All(reports, r => Assert.NotNull(r.ValidationAccuracy));
        var metrics = _ml.MulticlassClassification.Evaluate(
            model.Transform(_ml.Data.LoadFromEnumerable(ImageTables.Rows(60, seed: 2))));
        Assert.Equal(reports.Min(r => r.ValidationLoss)!.Value, metrics.LogLoss, 1e-4);
    }

    private static Action<MoeImageClassificationTrainer.Options>? Input(bool files) => files ? ImageModels.Files : null;

    private ITransformer Reload(ITransformer model, DataViewSchema? inputSchema)
    {
        using var stream = new MemoryStream();
        _ml.Model.Save(model, inputSchema, stream);
        stream.Position = 0;
        return _ml.Model.Load(stream, out _);
    }
}
