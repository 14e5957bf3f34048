namespace Microsoft.ML.Moe.Tests.TextClassification;

/// <summary>Single predictions.</summary>
public sealed class PredictionEngineTests
{
    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void OneForwardForEachRow()
    {
        using var model = Models.Fit(_ml);
        using var engine = _ml.Model.CreatePredictionEngine<Row, Prediction>(model);
        for (var i = 1; i <= 5; i++)
        {
            var prediction = engine.Predict(Tables.Rows()[i]); // reads both PredictedLabel and Score
            Assert.Equal(1f, prediction.Score.Sum(), 1e-5f);
            Assert.Equal(i, model.LastTransformer.ScoringCalls);
        }
    }

    [Fact]
    public void EachRowIsScoredAnew()
    {
        using var model = Models.Fit(_ml);
        using var engine = _ml.Model.CreatePredictionEngine<Row, Prediction>(model);
        var first = engine.Predict(new Row { Text = "rain storm cloud wind" });
        var second = engine.Predict(new Row { Text = "bread soup cheese rice" });
        var third = engine.Predict(new Row { Text = "rain storm cloud wind" });
        Assert.NotEqual(first.PredictedLabel, second.PredictedLabel);
        Assert.Equal(first.Score, third.Score);
    }

    [Fact]
    public void EnginesOnSeveralThreadsGiveTheSamePredictions()
    {
        using var model = Models.Fit(_ml);
        var rows = Tables.Rows(50);
        var expected = Predict();
        Parallel.For(0, 4, _ => Models.AssertSame(expected, Predict()));

        List<Prediction> Predict()
        {
            using var engine = _ml.Model.CreatePredictionEngine<Row, Prediction>(
                model, new PredictionEngineOptions { OwnsTransformer = false });
            return [.. rows.Select(r => engine.Predict(r))];
        }
    }

    [Fact]
    public void DisposingOneEngineLeavesTheOtherWorking()
    {
        var model = Models.Fit(_ml);
        var first = _ml.Model.CreatePredictionEngine<Row, Prediction>(model);
        var second = _ml.Model.CreatePredictionEngine<Row, Prediction>(model);
        var expected = first.Predict(Tables.Rows()[0]);
        first.Dispose(); // disposes the transformer as well
        Assert.Equal(expected.Score, second.Predict(Tables.Rows()[0]).Score);
        Assert.Throws<ObjectDisposedException>(() => _ml.Model.CreatePredictionEngine<Row, Prediction>(model));
        second.Dispose();
    }

    [Fact]
    public void DisposingTheEngineWhileATableIsReadLeavesTheReaderWorking()
    {
        var model = Models.Fit(_ml);
        var scored = model.Transform(_ml.Data.LoadFromEnumerable(Tables.Rows(600)));
        var reader = _ml.Data.CreateEnumerable<Prediction>(scored, reuseRowObject: false).GetEnumerator();
        Assert.True(reader.MoveNext());
        _ml.Model.CreatePredictionEngine<Row, Prediction>(model).Dispose();
        var count = 1;
        while (reader.MoveNext())
            count++;
        Assert.Equal(600, count);
    }

    [Fact]
    public void TheModelIsReleasedWithItsLastUser()
    {
        var model = Models.Fit(_ml);
        var transformer = model.LastTransformer;
        var data = transformer.Transform(_ml.Data.LoadFromEnumerable(Tables.Rows()));
        var cursor = data.GetRowCursor(data.Schema);
        transformer.Dispose();
        Assert.True(transformer.IsModelAlive);
        Assert.Throws<ObjectDisposedException>(() => data.GetRowCursor(data.Schema));
        cursor.Dispose();
        Assert.False(transformer.IsModelAlive);
    }

    [Fact]
    public void AnEngineThatIsNoLongerReferencedReleasesTheModel()
    {
        var transformer = UseOnce();
        for (var i = 0; i < 10 && transformer.IsModelAlive; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Assert.False(transformer.IsModelAlive);

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        MoeTextClassificationTransformer UseOnce()
        {
            var model = Models.Fit(_ml);
            using var engine = _ml.Model.CreatePredictionEngine<Row, Prediction>(model);
            engine.Predict(Tables.Rows()[0]);
            return model.LastTransformer;
        }
    }
}
