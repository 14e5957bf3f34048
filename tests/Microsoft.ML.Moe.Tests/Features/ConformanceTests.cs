using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests.Features;

/// <summary>What ML.NET expects of every estimator and transformer.</summary>
public sealed class ConformanceTests
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly IDataView _data;

    public ConformanceTests() => _data = _ml.Data.LoadFromEnumerable(FeatureTables.Rows());

    [Fact]
    public void All_schemas_of_a_classifier_are_the_same()
    {
        var data = Featurized(_ml.Transforms.Conversion.MapValueToKey("Label"));
        var trainer = _ml.MulticlassClassification.Trainers.MoeClassifier(
            FeatureTables.Tiny<MoeFeatureClassificationTrainer.Options>(o => (o.RouterEntropyColumnName, o.UncertainColumnName) = ("E", "U")));
        using var transformer = trainer.Fit(data);
        AssertSchemas(trainer.GetOutputSchema, transformer, data);
        Assert.Equal("Hot.red|Hot.blue|Hot.green|Size|Noise", SlotNames(data));
    }

    [Fact]
    public void All_schemas_of_a_binary_classifier_are_the_same()
    {
        var data = Featurized();
        var trainer = _ml.BinaryClassification.Trainers.MoeBinaryClassifier(
            FeatureTables.Tiny<MoeBinaryClassificationTrainer.Options>(o => o.LabelColumnName = "IsLarge"));
        using var transformer = trainer.Fit(data);
        AssertSchemas(trainer.GetOutputSchema, transformer, data);
        Assert.Equal("True", SchemaAssert.AnnotationText(transformer.GetOutputSchema(data.Schema)["Probability"].Annotations, "IsNormalized"));
    }

    [Fact]
    public void All_schemas_of_a_regression_are_the_same()
    {
        var data = Featurized();
        var trainer = _ml.Regression.Trainers.MoeRegressor(
            FeatureTables.Tiny<MoeRegressionTrainer.Options>(o => (o.LabelColumnName, o.SpreadColumnName) = ("Price", "Spread")));
        using var transformer = trainer.Fit(data);
        AssertSchemas(trainer.GetOutputSchema, transformer, data);
    }

    [Fact]
    public void A_classifier_learns_and_evaluates_and_is_the_same_after_a_reload()
    {
        using var model = FeatureTables.Classes(_ml).Fit(_data);
        var test = _ml.Data.LoadFromEnumerable(FeatureTables.Rows(120, seed: 2));
        var metrics = _ml.MulticlassClassification.Evaluate(model.Transform(test));
        Assert.True(metrics.MicroAccuracy > 0.85, $"accuracy {metrics.MicroAccuracy}");
        using var again = (IDisposable)FeatureTables.Reload(_ml, model);
        Assert.Equal(model.Transform(test).GetColumn<float[]>("Score"), ((ITransformer)again).Transform(test).GetColumn<float[]>("Score"));
        Assert.All(model.Transform(test).GetColumn<float[]>("Score"), score => Assert.Equal(1, score.Sum(), 1e-5f));
    }

    [Fact]
    public void A_binary_classifier_learns_and_evaluates_and_is_the_same_after_a_reload()
    {
        using var model = FeatureTables.Binary(_ml).Fit(_data);
        var test = _ml.Data.LoadFromEnumerable(FeatureTables.Rows(120, seed: 2));
        var scored = model.Transform(test);
        var metrics = _ml.BinaryClassification.Evaluate(scored, "IsLarge");
        Assert.True(metrics.Accuracy > 0.9, $"accuracy {metrics.Accuracy}");
        Assert.True(metrics.LogLoss < 0.5, $"log-loss {metrics.LogLoss}");
        foreach (var row in _ml.Data.CreateEnumerable<FeaturePrediction>(scored, reuseRowObject: false, ignoreMissingColumns: true))
        {
            Assert.Equal(1 / (1 + Math.Exp(-row.Score)), row.Probability, 1e-6);
            Assert.Equal(row.Score > 0, row.PredictedLabel);
        }

        using var again = (IDisposable)FeatureTables.Reload(_ml, model);
        Assert.Equal(FeatureTables.Scores(scored), FeatureTables.Scores(((ITransformer)again).Transform(test)));
    }

    [Fact]
    public void A_threshold_moves_the_label_and_nothing_else_and_is_saved()
    {
        using var model = FeatureTables.Binary(_ml).Fit(_data);
        using var strict = model.LastTransformer.WithThreshold(1.5f);
        using var again = (IDisposable)FeatureTables.Reload(_ml, strict);
        var features = Featurized();
        var usual = model.LastTransformer.Transform(features);
        foreach (var changed in new[] { strict.Transform(features), ((ITransformer)again).Transform(features) })
        {
            Assert.Equal(FeatureTables.Scores(usual), FeatureTables.Scores(changed));
            Assert.Equal(FeatureTables.Scores(usual).Select(score => score > 1.5f), changed.GetColumn<bool>("PredictedLabel"));
        }

        Assert.NotEqual(usual.GetColumn<bool>("PredictedLabel"), strict.Transform(features).GetColumn<bool>("PredictedLabel"));
        Assert.Throws<ArgumentOutOfRangeException>(() => strict.WithThreshold(float.NaN));
    }

    [Fact]
    public void A_regression_scores_in_the_labels_units_and_is_the_same_after_a_reload()
    {
        using var model = FeatureTables.Regression(_ml, o => o.SpreadColumnName = "Spread").Fit(_data);
        var test = _ml.Data.LoadFromEnumerable(FeatureTables.Rows(120, seed: 2));
        var scored = model.Transform(test);
        var metrics = _ml.Regression.Evaluate(scored, "Price");
        Assert.True(metrics.RSquared > 0.9, $"R² {metrics.RSquared}");
        Assert.All(FeatureTables.Scores(scored, "Spread"), spread => Assert.True(spread > 0));
        using var again = (IDisposable)FeatureTables.Reload(_ml, model);
        Assert.Equal(FeatureTables.Scores(scored), FeatureTables.Scores(((ITransformer)again).Transform(test)));
        Assert.Equal(FeatureTables.Scores(scored, "Spread"), FeatureTables.Scores(((ITransformer)again).Transform(test), "Spread"));
    }

    [Fact]
    public void A_prediction_engine_gives_what_a_table_gives()
    {
        using var model = FeatureTables.Regression(_ml).Fit(_data);
        var rows = FeatureTables.Rows(20, seed: 4);
        using var engine = _ml.Model.CreatePredictionEngine<FeatureRecord, FeaturePrediction>(
            model, new PredictionEngineOptions { OwnsTransformer = false, IgnoreMissingColumns = true });
        var table = FeatureTables.Scores(model.Transform(_ml.Data.LoadFromEnumerable(rows)));
        Assert.All(rows.Zip(table), pair => Assert.Equal(pair.Second, engine.Predict(pair.First).Score, 1e-4f));
    }

    [Fact]
    public void Cross_validation_works()
    {
        var folds = _ml.Regression.CrossValidate(_data, FeatureTables.Regression(_ml), numberOfFolds: 3, labelColumnName: "Price");
        Assert.All(folds, fold => Assert.True(fold.Metrics.RSquared > 0.8, $"R² {fold.Metrics.RSquared}"));
    }

    [Fact]
    public void The_same_seed_gives_the_same_model_on_one_thread_and_two()
    {
        using var one = FeatureTables.Classes(_ml).Fit(_data);
        using var two = FeatureTables.Classes(_ml, o => o.Threads = 2).Fit(_data);
        Assert.Equal(one.Transform(_data).GetColumn<float[]>("Score"), two.Transform(_data).GetColumn<float[]>("Score"));
    }

    private IDataView Featurized(IEstimator<ITransformer>? first = null)
    {
        var chain = first is null ? FeatureTables.Featurize(_ml) : first.Append(FeatureTables.Featurize(_ml));
        return chain.Fit(_data).Transform(_data);
    }

    private void AssertSchemas(Func<SchemaShape, SchemaShape> promise, MoeTransformer transformer, IDataView data)
    {
        var schema = transformer.GetOutputSchema(data.Schema);
        SchemaAssert.Equal(schema, transformer.Transform(data).Schema);
        SchemaAssert.Equal(schema, ((ITransformer)transformer).GetRowToRowMapper(data.Schema).OutputSchema);
        using var again = (IDisposable)FeatureTables.Reload(_ml, transformer);
        SchemaAssert.Equal(schema, ((ITransformer)again).GetOutputSchema(data.Schema));
        SchemaAssert.Equal(SchemaAssert.ShapeOf(schema), promise(SchemaAssert.ShapeOf(data.Schema)));
    }

    private static string SlotNames(IDataView data) => SchemaAssert.AnnotationText(data.Schema["Features"].Annotations, "SlotNames");
}
