using Microsoft.ML.Data;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Transforms.Image;
using SkiaSharp;

namespace Microsoft.ML.Moe.Tests.ImageClassification;

/// <summary>Columns of images that ML.NET has decoded.</summary>
public sealed class DecodedImageTests
{
    private readonly MLContext _ml = new(seed: 1);

    public static TheoryData<int?> SizesToResizeTo => [null, 6, 9];

    [Fact]
    public void TheyGiveTheSameModelAsFiles()
    {
        using var fromFiles = ImageModels.Fit(_ml, ImageModels.Files);
        using var model = Fit(Rows());
        Models.AssertSame(ImageModels.Score(_ml, fromFiles, ImageTables.Rows()), Score(model, Rows()));
    }

    /// <summary>Sizes other than the images' own, and their own, at which ResizeImages passes its input on.</summary>
    [Theory]
    [MemberData(nameof(SizesToResizeTo))]
    public void ImagesThatLoadImagesReadsAreClassifiedAlsoAfterLoading(int? side)
    {
        using var folder = new TemporaryFolder();
        var data = _ml.Data.LoadFromEnumerable(Saved(folder, ImageTables.Rows(90)));
        using var model = Pipeline(folder, side).Fit(data);
        var scored = model.Transform(data);

        var metrics = _ml.MulticlassClassification.Evaluate(scored);
        Assert.True(metrics.MicroAccuracy > 0.8, $"accuracy {metrics.MicroAccuracy}");
        using var stream = new MemoryStream();
        _ml.Model.Save(model, data.Schema, stream);
        stream.Position = 0;
        using var again = (IDisposable)_ml.Model.Load(stream, out _);
        Models.AssertSame(Models.Read(_ml, scored), Models.Read(_ml, ((ITransformer)again).Transform(data)));
    }

    /// <summary>The image column itself can be read beside the scores, although the rows are read ahead.</summary>
    [Theory]
    [MemberData(nameof(SizesToResizeTo))]
    public void ImagesCanBeReadBesideTheirScores(int? side)
    {
        using var folder = new TemporaryFolder();
        var data = _ml.Data.LoadFromEnumerable(Saved(folder, ImageTables.Rows(90)));
        using var model = Pipeline(folder, side).Fit(data);
        var scored = model.Transform(data);
        using var cursor = scored.GetRowCursor(scored.Schema);
        var getImage = cursor.GetGetter<MLImage>(scored.Schema["Image"]);
        var getScore = cursor.GetGetter<VBuffer<float>>(scored.Schema["Score"]);
        var (image, score) = (default(MLImage)!, default(VBuffer<float>));
        while (cursor.MoveNext())
        {
            getScore(ref score);
            getImage(ref image);
            Assert.Equal(side ?? ImageRow.Side, image.Width);
            Assert.Equal(255, image.Pixels[3]);
        }
    }

    [Theory]
    [MemberData(nameof(SizesToResizeTo))]
    public void TheCallersImagesStayUsable(int? side)
    {
        var rows = Rows();
        var data = _ml.Data.LoadFromEnumerable(rows);
        var trainer = ImageModels.Pipeline(_ml, Options);
        using (var model = side is { } s
            ? (IDisposable)_ml.Transforms.ResizeImages("Image", s, s).Append(trainer).Fit(data)
            : trainer.Fit(data))
            _ = Models.Read(_ml, ((ITransformer)model).Transform(data));
        Assert.All(rows, row => Assert.Equal(ImageRow.Side, row.Image!.Width));
    }

    [Fact]
    public void APredictionEngineScoresOne()
    {
        using var model = Fit(Rows());
        var expected = Score(model, Rows());
        using var engine = _ml.Model.CreatePredictionEngine<DecodedRow, Prediction>(model);
        var rows = Rows();
        for (var i = 0; i < 20; i++)
            Assert.Equal(expected[i].Score, engine.Predict(rows[i]).Score, (a, b) => Math.Abs(a - b) < 1e-5f);
        Assert.Equal(ImageRow.Side, rows[0].Image!.Width);

        var error = Assert.Throws<InvalidOperationException>(() => engine.Predict(new DecodedRow()));
        Assert.Contains("The image in column 'Image' cannot be used: it is missing.", error.Message, StringComparison.Ordinal);
        rows[1].Image!.Dispose();
        error = Assert.Throws<InvalidOperationException>(() => engine.Predict(rows[1]));
        Assert.Contains("it was disposed", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AMissingOneIsNamedByItsRow()
    {
        var rows = Rows();
        rows[4].Image = null;
        var error = Assert.ThrowsAny<InvalidOperationException>(() => Fit(rows));
        Assert.Contains("The image of row 5 in column 'Image' cannot be used: it is missing.", error.Message, StringComparison.Ordinal);
        using var model = Fit(Rows());
        error = Assert.ThrowsAny<InvalidOperationException>(() => Score(model, rows));
        Assert.Contains("row 5 in column 'Image'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AFileThatLoadImagesCannotReadIsNamedByItsRow()
    {
        using var folder = new TemporaryFolder();
        var rows = Saved(folder, ImageTables.Rows(9));
        File.WriteAllText(folder["2.png"], "not an image");
        var data = _ml.Data.LoadFromEnumerable(rows);
        var error = Assert.ThrowsAny<InvalidOperationException>(() => Pipeline(folder, null).Fit(data));
        Assert.Contains("row 3 in column 'Image'", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("Parameter", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AllSchemasAreTheSame()
    {
        var data = _ml.Data.LoadFromEnumerable(Rows());
        data = _ml.Transforms.Conversion.MapValueToKey("Label").Fit(data).Transform(data);
        var trainer = ImageModels.Trainer(_ml, Options);
        using var transformer = trainer.Fit(data);
        var schema = transformer.GetOutputSchema(data.Schema);
        SchemaAssert.Equal(schema, transformer.Transform(data).Schema);
        SchemaAssert.Equal(SchemaAssert.ShapeOf(schema), trainer.GetOutputSchema(SchemaAssert.ShapeOf(data.Schema)));
    }

    [Fact]
    public void AFixedSizeIsTheModelsUnlessAnotherIsSaid()
    {
        var column = ColumnOf(new ImageDataViewType(height: 20, width: 30));
        Assert.Equal((30, 20, 3), SizeOf(ImageColumn.InputOf(column, null, null, null)));
        Assert.Equal((8, 8, 1), SizeOf(ImageColumn.InputOf(column, 8, null, 1)));
        Assert.Equal((64, 64, 3), SizeOf(ImageColumn.InputOf(ColumnOf(new ImageDataViewType()), null, null, null)));
        Assert.Throws<ArgumentOutOfRangeException>(() => ImageColumn.InputOf(column, null, null, 4));

        static (int, int, int) SizeOf(ImageInput input) => (input.Width, input.Height, input.Channels);
    }

    [Theory]
    [InlineData(MLPixelFormat.Bgra32, new byte[] { 1, 2, 3, 255 }, new float[] { 3, 2, 1 })]
    [InlineData(MLPixelFormat.Rgba32, new byte[] { 1, 2, 3, 255 }, new float[] { 1, 2, 3 })]
    [InlineData(MLPixelFormat.Rgba32, new byte[] { 0, 0, 0, 0 }, new float[] { 255, 255, 255 })] // transparent
    [InlineData(MLPixelFormat.Rgba32, new byte[] { 64, 32, 0, 128 }, new float[] { 191, 159, 127 })] // premultiplied
    [InlineData(MLPixelFormat.Rgba32, new byte[] { 255, 100, 0, 128 }, new float[] { 255, 177, 127 })] // cannot be premultiplied
    [InlineData(MLPixelFormat.Rgba32, new byte[] { 10, 20, 30, 0 }, new float[] { 10, 20, 30 })] // alpha was never set
    public void BothOrdersOfColoursAndAlphaAreRead(MLPixelFormat format, byte[] pixel, float[] expected)
    {
        using var image = MLImage.CreateFromPixels(1, 1, format, pixel);
        var values = new float[3];
        new BgraImage(image.Pixels, 1, 1, redFirst: format == MLPixelFormat.Rgba32).Encode(new ImageInput(1, 1, 3)).CopyTo(values);
        Assert.Equal(expected, values);
    }

    private static void Options(MoeImageClassificationTrainer.Options options) => ImageModels.Files(options);

    private static DataViewSchema.Column ColumnOf(DataViewType type)
    {
        var builder = new DataViewSchema.Builder();
        builder.AddColumn("Image", type);
        return builder.ToSchema()["Image"];
    }

    private static List<DecodedRow> Rows() => [.. ImageTables.Rows().Select(row => new DecodedRow
    {
        Id = row.Id,
        Label = row.Label,
        Image = MLImage.CreateFromStream(new MemoryStream(row.Image!)),
    })];

    private static List<PathRow> Saved(TemporaryFolder folder, List<ImageRow> rows)
    {
        foreach (var row in rows)
        {
            using var bitmap = SKBitmap.Decode(row.Image);
            File.WriteAllBytes(folder[$"{row.Id}.png"], ImageFiles.Encode(bitmap, SKEncodedImageFormat.Png));
        }

        return [.. rows.Select(row => new PathRow { Id = row.Id, Label = row.Label, Path = $"{row.Id}.png" })];
    }

    private IEstimator<ITransformer> Loading(TemporaryFolder folder, int? side)
    {
        var load = _ml.Transforms.LoadImages("Image", Path.GetDirectoryName(folder["x"]), "Path");
        return side is { } s ? load.Append(_ml.Transforms.ResizeImages("Image", s, s)) : load;
    }

    private EstimatorChain<MoeImageClassificationTransformer> Pipeline(TemporaryFolder folder, int? side) =>
        Loading(folder, side).Append(_ml.Transforms.Conversion.MapValueToKey("Label")).Append(ImageModels.Trainer(_ml, o =>
        {
            Options(o);
            o.MaxEpochs = 10;
        }));

    private TransformerChain<MoeImageClassificationTransformer> Fit(List<DecodedRow> rows) =>
        ImageModels.Pipeline(_ml, Options).Fit(_ml.Data.LoadFromEnumerable(rows));

    private List<Prediction> Score(TransformerChain<MoeImageClassificationTransformer> model, List<DecodedRow> rows) =>
        Models.Read(_ml, model.Transform(_ml.Data.LoadFromEnumerable(rows)));

    private sealed class DecodedRow
    {
        [ImageType(ImageRow.Side, ImageRow.Side)]
        public MLImage? Image { get; set; }

        public string? Label { get; set; }

        public int Id { get; set; }
    }

    private sealed class PathRow
    {
        public string Path { get; set; } = "";

        public string? Label { get; set; }

        public int Id { get; set; }
    }
}
