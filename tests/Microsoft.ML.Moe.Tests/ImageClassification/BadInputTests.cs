using Microsoft.ML.Data;

namespace Microsoft.ML.Moe.Tests.ImageClassification;

/// <summary>Tables and options that make no sense.</summary>
public sealed class BadInputTests
{
    private readonly MLContext _ml = new(seed: 1);

    [Theory]
    [InlineData("Nowhere", "no image column 'Nowhere'")]
    [InlineData("Label", "'Label'")]
    [InlineData("Id", "The image column 'Id'")]
    public void AColumnThatHoldsNoImagesIsNamed(string column, string reason)
    {
        var data = Keyed(ImageTables.Rows(6));
        var trainer = ImageModels.Trainer(_ml, o => (o.FeatureColumnName, o.LabelColumnName) = (column, "Key"));
        using var model = ImageModels.Fit(_ml);

        AssertNamed(reason, () => trainer.Fit(data));
        AssertNamed(reason, () => trainer.GetOutputSchema(SchemaAssert.ShapeOf(data.Schema)));
    }

    [Fact]
    public void AnotherSizeThanTheModelWasTrainedWithIsRefused()
    {
        using var model = ImageModels.Fit(_ml);
        var other = _ml.Data.LoadFromEnumerable([new OtherSize()]);
        AssertNamed("6 × 6 pixels of 1 channels", () => model.LastTransformer.Transform(other));
        AssertNamed("6 × 6 pixels of 1 channels", () => model.LastTransformer.GetOutputSchema(other.Schema));
    }

    [Theory]
    [InlineData(null, null, null, 6, 6, 1)]
    [InlineData(9, null, null, 9, 4, 1)]
    [InlineData(null, 12, null, 3, 12, 1)]
    [InlineData(4, 3, 3, 4, 3, 3)]
    public void TheSizeIsTakenFromTheVectorOrTheOptions(
        int? width, int? height, int? channels, int expectedWidth, int expectedHeight, int expectedChannels)
    {
        var messages = Messages(() => ImageModels.Fit(
            _ml, o => (o.ImageWidth, o.ImageHeight, o.Channels, o.MaxEpochs) = (width, height, channels, 1)).Dispose());
        Assert.Contains($"Images are read as {expectedWidth} × {expectedHeight} × {expectedChannels}: width, height, channels.", messages);
    }

    [Theory]
    [InlineData(5, null, null)]
    [InlineData(6, 5, 1)]
    [InlineData(null, null, 2)]
    public void ASizeThatDoesNotFitIsRefused(int? width, int? height, int? channels) =>
        AssertNamed("36 numbers", () => ImageModels.Fit(_ml, o => (o.ImageWidth, o.ImageHeight, o.Channels) = (width, height, channels)));

    [Fact]
    public void PlanesAreRefusedWithAdvice()
    {
        var data = _ml.Data.LoadFromEnumerable([new Planes(), new Planes { Label = "b" }]);
        var keyed = _ml.Transforms.Conversion.MapValueToKey("Key", "Label").Fit(data).Transform(data);
        AssertNamed("interleavePixelColors", () => ImageModels.Trainer(_ml, o => o.LabelColumnName = "Key").Fit(keyed));
    }

    [Fact]
    public void DimensionsOfTheVectorAreUsed()
    {
        var data = _ml.Data.LoadFromEnumerable(
            [new Interleaved(), new Interleaved { Label = "b", Features = [.. Enumerable.Repeat(9f, 120)] }]);
        var keyed = _ml.Transforms.Conversion.MapValueToKey("Key", "Label").Fit(data).Transform(data);
        var messages = Messages(() => ImageModels.Trainer(_ml, o => (o.LabelColumnName, o.MaxEpochs) = ("Key", 1)).Fit(keyed).Dispose());
        Assert.Contains("Images are read as 20 × 2 × 3: width, height, channels.", messages);
    }

    [Fact]
    public void AnImageThatCannotBeReadIsNamedByRowAndColumn()
    {
        var rows = ImageTables.Rows(30);
        rows[4].Image = "not an image"u8.ToArray();
        AssertNamed("row 5 in column 'Image'", () => ImageModels.Pipeline(_ml, ImageModels.Files).Fit(_ml.Data.LoadFromEnumerable(rows)));
        rows[4].Image = null;
        AssertNamed("row 5 in column 'Image'", () => ImageModels.Pipeline(_ml, ImageModels.Files).Fit(_ml.Data.LoadFromEnumerable(rows)));
        using var model = ImageModels.Fit(_ml, ImageModels.Files);
        AssertNamed("row 5 in column 'Image'", () => ImageModels.Score(_ml, model, rows));
        rows[4].Features[3] = float.NaN;
        AssertNamed("row 5 in column 'Features'", () => ImageModels.Pipeline(_ml).Fit(_ml.Data.LoadFromEnumerable(rows)));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void OfSeveralBadImagesTheFirstIsNamedWhicheverThreadFindsIt(int threads)
    {
        var rows = ImageTables.Rows(300);
        using var model = ImageModels.Fit(_ml, o =>
        {
            ImageModels.Files(o);
            o.Threads = threads;
        });
        for (var row = 270; row < 300; row++)
            rows[row].Image = "not an image"u8.ToArray();
        AssertNamed("row 271 in column 'Image'", () => ImageModels.Score(_ml, model, rows));
        AssertNamed("30 of 300 images in column 'Image' of the training set cannot be used. The first 10: row 271: it is no PNG", () => ImageModels.Pipeline(_ml, o =>
        {
            ImageModels.Files(o);
            o.Threads = threads;
        }).Fit(_ml.Data.LoadFromEnumerable(rows)));
    }

    [Fact]
    public void ABadImageStopsNobodyWhoDoesNotAskForIt()
    {
        var rows = ImageTables.Rows(300);
        rows[290].Image = "not an image"u8.ToArray();
        using var model = ImageModels.Fit(_ml, ImageModels.Files);
        var scored = model.Transform(_ml.Data.LoadFromEnumerable(rows));
        using var cursor = scored.GetRowCursor(scored.Schema);
        var getter = cursor.GetGetter<VBuffer<float>>(scored.Schema["Score"]);
        var score = default(VBuffer<float>);
        for (var row = 0; row < 300; row++)
        {
            Assert.True(cursor.MoveNext());
            if (row != 290)
            {
                getter(ref score);
                Assert.Equal(1f, score.DenseValues().Sum(), 1e-5f);
                continue;
            }

            for (var again = 0; again < 2; again++)
                AssertNamed("row 291 in column 'Image'", () => getter(ref score));
        }

        Assert.False(cursor.MoveNext());
    }

    [Fact]
    public void ImpossibleOptionsAreNamed()
    {
        foreach (var (option, change) in new Dictionary<string, Action<MoeImageClassificationTrainer.Options>>
        {
            ["FeatureColumnName"] = o => o.FeatureColumnName = "",
            ["LabelColumnName"] = o => o.LabelColumnName = o.FeatureColumnName,
            ["ImageWidth"] = o => o.ImageWidth = 0,
            ["ImageHeight"] = o => o.ImageHeight = 1025,
            ["Channels"] = o => o.Channels = 17,
            ["PatchSize"] = o => o.PatchSize = 65,
            ["PatchMargin"] = o => o.PatchMargin = float.NaN,
            ["Convolutions"] = o => o.Convolutions = -1,
            ["MaxShift"] = o => o.MaxShift = 0.6f,
            ["MaxZoom"] = o => o.MaxZoom = -1,
            ["MaxRotation"] = o => o.MaxRotation = 181,
            ["EraseRate"] = o => o.EraseRate = 1,
            ["LabelSmoothing"] = o => o.LabelSmoothing = 1,
            ["Width"] = o => o.Width = 3,
            ["EarlyStoppingPatience"] = o => o.EarlyStoppingPatience = 2,
            ["ScoreColumnName"] = o => o.ScoreColumnName = o.PredictedLabelColumnName,
        })
        {
            var error = Assert.ThrowsAny<ArgumentException>(() => ImageModels.Trainer(_ml, change));
            Assert.Contains(option, error.Message, StringComparison.Ordinal);
        }
    }

    /// <summary>The parameters of ML.NET's <c>ImageClassification</c>, by name and in its order.</summary>
    [Fact]
    public void TheShortOverloadIsADropIn()
    {
        var method = typeof(MoeCatalog).GetMethods().Single(m => m.Name == nameof(MoeCatalog.MoeImageClassifier) && m.GetParameters().Length > 2);
        Assert.Equal(
            ["labelColumnName", "featureColumnName", "scoreColumnName", "predictedLabelColumnName", "validationSet"],
            method.GetParameters().Skip(1).Select(p => p.Name));
        Assert.Equal(["Label", "Features", "Score", "PredictedLabel", null], method.GetParameters().Skip(1).Select(p => p.DefaultValue));
    }

    private IDataView Keyed(IEnumerable<ImageRow> rows)
    {
        var data = _ml.Data.LoadFromEnumerable(rows);
        return _ml.Transforms.Conversion.MapValueToKey("Key", "Label").Fit(data).Transform(data);
    }

    private List<string> Messages(Action action)
    {
        var messages = new List<string>();
        void Add(object? sender, LoggingEventArgs log) => messages.Add(log.RawMessage);
        _ml.Log += Add;
        action();
        _ml.Log -= Add;
        return messages;
    }

    private static void AssertNamed(string reason, Action action)
    {
        var error = Assert.ThrowsAny<Exception>(action);
        Assert.True(error is ArgumentOutOfRangeException or InvalidOperationException, $"{error}");
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    private sealed class OtherSize
    {
        [VectorType(25)]
        public float[] Features { get; set; } = new float[25];
    }

    private sealed class Planes
    {
        [VectorType(3, 20, 20)]
        public float[] Features { get; set; } = new float[1200];

        public string Label { get; set; } = "a";
    }

    private sealed class Interleaved
    {
        [VectorType(2, 20, 3)]
        public float[] Features { get; set; } = new float[120];

        public string Label { get; set; } = "a";
    }
}
