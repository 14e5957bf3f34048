using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests.TextClassification;

/// <summary>What ML.NET expects of every estimator and transformer.</summary>
public sealed class ConformanceTests
{
    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void AllSchemasAreTheSame()
    {
        var data = Keyed();
        var trainer = Models.Trainer(_ml);
        using var transformer = trainer.Fit(data);
        var schema = transformer.GetOutputSchema(data.Schema);

        SchemaAssert.Equal(schema, transformer.Transform(data).Schema);
        SchemaAssert.Equal(schema, ((ITransformer)transformer).GetRowToRowMapper(data.Schema).OutputSchema);
        SchemaAssert.Equal(schema, Reload(transformer, data.Schema).GetOutputSchema(data.Schema));
        SchemaAssert.Equal(SchemaAssert.ShapeOf(schema), trainer.GetOutputSchema(SchemaAssert.ShapeOf(data.Schema)));
    }

    [Fact]
    public void OutputColumnsAreAnnotatedAsEvaluatorsExpect()
    {
        var data = Keyed();
        using var transformer = Models.Trainer(_ml).Fit(data);
        var schema = transformer.GetOutputSchema(data.Schema);

        var score = schema["Score"];
        Assert.Equal(3, Assert.IsType<VectorDataViewType>(score.Type).Size);
        Assert.Equal("weather|food|travel", SchemaAssert.AnnotationText(score.Annotations, "SlotNames"));
        Assert.Equal("weather|food|travel", SchemaAssert.AnnotationText(score.Annotations, "TrainingLabelValues"));
        Assert.Equal("MulticlassClassification", SchemaAssert.AnnotationText(score.Annotations, "ScoreColumnKind"));
        Assert.Equal("Score", SchemaAssert.AnnotationText(score.Annotations, "ScoreValueKind"));
        Assert.Equal("1", SchemaAssert.AnnotationText(score.Annotations, "ScoreColumnSetId"));

        var predicted = schema["PredictedLabel"];
        Assert.Equal(new KeyDataViewType(typeof(uint), 3), predicted.Type);
        Assert.Equal("weather|food|travel", SchemaAssert.AnnotationText(predicted.Annotations, "KeyValues"));
        Assert.Equal("PredictedLabel", SchemaAssert.AnnotationText(predicted.Annotations, "ScoreValueKind"));

        var twice = transformer.GetOutputSchema(schema);
        Assert.Equal("2", SchemaAssert.AnnotationText(twice["Score"].Annotations, "ScoreColumnSetId"));
    }

    [Fact]
    public void LearnsAndEvaluates()
    {
        using var model = Models.Fit(_ml);
        var test = _ml.Data.LoadFromEnumerable(Tables.Rows(60, seed: 2));
        var metrics = _ml.MulticlassClassification.Evaluate(model.Transform(test));
        Assert.True(metrics.MicroAccuracy > 0.9, $"accuracy {metrics.MicroAccuracy}");
        Assert.Equal(3, metrics.ConfusionMatrix.NumberOfClasses);
        Assert.True(metrics.LogLoss < 1);
    }

    [Fact]
    public void ProbabilitiesSumToOneAndTheLargestIsPredicted()
    {
        using var model = Models.Fit(_ml);
        foreach (var row in Models.Score(_ml, model, Tables.Rows()))
        {
            Assert.Equal(1f, row.Score.Sum(), 1e-5f);
            Assert.All(row.Score, p => Assert.InRange(p, 0f, 1f));
            Assert.Equal(Array.IndexOf(row.Score, row.Score.Max()) + 1, (int)row.PredictedLabel);
        }
    }

    [Fact]
    public void SavedAndReloadedScoresAreEqual()
    {
        using var model = Models.Fit(_ml);
        using var again = (IDisposable)Reload(model, inputSchema: null);
        Models.AssertSame(Models.Score(_ml, model, Tables.Rows()), Models.Score(_ml, (ITransformer)again, Tables.Rows()));
    }

    [Fact]
    public void LabelColumnIsNotNeededForPredictions()
    {
        var data = Keyed();
        using var transformer = Models.Trainer(_ml).Fit(data);
        var unlabelled = _ml.Data.LoadFromEnumerable(Tables.Rows().Select(r => new FreshProcess.TextOnly { Text = r.Text }));
        Assert.Null(unlabelled.Schema.GetColumnOrNull("Label"));
        var scores = _ml.Data.CreateEnumerable<FreshProcess.ScoreOnly>(transformer.Transform(unlabelled), false).Select(s => s.Score);
        Assert.Equal(Models.Score(_ml, transformer, Tables.Rows()).Select(s => s.Score), scores);
    }

    [Fact]
    public void PredictedKeysMapBackToValues()
    {
        var pipeline = Models.Pipeline(_ml).Append(_ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"));
        using var model = pipeline.Fit(_ml.Data.LoadFromEnumerable(Tables.Rows()));
        var predicted = model.Transform(_ml.Data.LoadFromEnumerable(Tables.Rows())).GetColumn<string>("PredictedLabel").ToList();
        Assert.True(predicted.Zip(Tables.Rows(), (p, r) => p == r.Label).Count(same => same) > 80, string.Join(' ', predicted));
    }

    [Fact]
    public void CrossValidates()
    {
        var folds = _ml.MulticlassClassification.CrossValidate(
            _ml.Data.LoadFromEnumerable(Tables.Rows()), Models.Pipeline(_ml), numberOfFolds: 3);
        Assert.Equal(3, folds.Count);
        Assert.All(folds, fold => Assert.True(fold.Metrics.MicroAccuracy > 0.7, $"accuracy {fold.Metrics.MicroAccuracy}"));
    }

    [Fact]
    public void WorksBehindACacheCheckpoint()
    {
        var pipeline = _ml.Transforms.Conversion.MapValueToKey("Label").AppendCacheCheckpoint(_ml).Append(Models.Trainer(_ml));
        using var cached = pipeline.Fit(_ml.Data.LoadFromEnumerable(Tables.Rows()));
        using var model = Models.Fit(_ml);
        Models.AssertSame(Models.Score(_ml, model, Tables.Rows()), Models.Score(_ml, cached, Tables.Rows()));
    }

    [Fact]
    public void DisposingTwiceDoesNoHarm()
    {
        var model = Models.Fit(_ml);
        model.LastTransformer.Dispose();
        model.LastTransformer.Dispose();
        model.Dispose();
        Assert.False(model.LastTransformer.IsModelAlive);
    }

    [Fact]
    public void UseAfterDisposeIsAnError()
    {
        var data = Keyed();
        var transformer = Models.Trainer(_ml).Fit(data);
        var scored = transformer.Transform(data);
        transformer.Dispose();
        Assert.Throws<ObjectDisposedException>(() => transformer.Transform(data));
        Assert.Throws<ObjectDisposedException>(() => transformer.GetOutputSchema(data.Schema));
        Assert.Throws<ObjectDisposedException>(() => Models.Read(_ml, scored));
        Assert.Throws<ObjectDisposedException>(() => _ml.Model.Save(transformer, null, new MemoryStream()));
    }

    private IDataView Keyed()
    {
        var data = _ml.Data.LoadFromEnumerable(Tables.Rows());
        return _ml.Transforms.Conversion.MapValueToKey("Label").Fit(data).Transform(data);
    }

    private ITransformer Reload(ITransformer model, DataViewSchema? inputSchema)
    {
        using var stream = new MemoryStream();
        _ml.Model.Save(model, inputSchema, stream);
        stream.Position = 0;
        return _ml.Model.Load(stream, out _);
    }
}
