using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Image;

namespace Microsoft.ML.Moe.Tests.ImageClassification;

/// <summary>A few bad images among many.</summary>
public sealed class SkippedImageTests
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly List<string> _log = [];

    public SkippedImageTests() => _ml.Log += (_, e) => _log.Add($"{e.Kind}: {e.RawMessage}");

    [Fact]
    public void Training_fails_with_the_number_and_the_first_ten()
    {
        var rows = Rows(out _);
        var error = Assert.Throws<InvalidOperationException>(() => ImageModels.Pipeline(_ml, ImageModels.Files).Fit(_ml.Data.LoadFromEnumerable(rows)));
        Assert.StartsWith(
            "30 of 150 images in column 'Image' of the training set cannot be used. The first 10: row 3: it is no PNG, JPEG, WebP, GIF or BMP file; "
            + "row 8: it is missing; row 13: ",
            error.Message,
            StringComparison.Ordinal);
        Assert.Contains("row 48: ", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("row 53", error.Message, StringComparison.Ordinal);
        Assert.EndsWith("BadImages = BadImageHandling.Skip leaves such rows out.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Training_without_them_is_as_if_they_were_not_there()
    {
        var rows = Rows(out var good);
        using var skipping = ImageModels.Pipeline(_ml, Skip).Fit(_ml.Data.LoadFromEnumerable(rows));
        using var without = ImageModels.Pipeline(_ml, Skip).Fit(_ml.Data.LoadFromEnumerable(good));

        Models.AssertSame(ImageModels.Score(_ml, without, good), ImageModels.Score(_ml, skipping, good));
        Assert.Single(_log, line => line.Contains("Warning: 30 of 150 images in column 'Image' of the training set cannot be used", StringComparison.Ordinal));
    }

    [Fact]
    public void Validation_rows_are_treated_alike()
    {
        var rows = Rows(out var good);
        var set = _ml.Data.LoadFromEnumerable(rows);
        var error = Assert.Throws<InvalidOperationException>(() => ImageModels.Pipeline(_ml, o =>
        {
            ImageModels.Files(o);
            o.ValidationSet = set;
        }).Fit(_ml.Data.LoadFromEnumerable(good)));
        Assert.StartsWith("30 of 150 images in column 'Image' of the validation set", error.Message, StringComparison.Ordinal);

        using var model = ImageModels.Pipeline(_ml, o =>
        {
            Skip(o);
            o.ValidationSet = set;
        }).Fit(_ml.Data.LoadFromEnumerable(good));
        Assert.Single(_log, line => line.Contains("30 of 150 images in column 'Image' of the validation set", StringComparison.Ordinal));
    }

    [Fact]
    public void A_table_of_bad_images_alone_is_an_error()
    {
        var rows = ImageTables.Rows(12);
        foreach (var row in rows)
            row.Image = [1, 2, 3];
        var error = Assert.Throws<InvalidOperationException>(() => ImageModels.Pipeline(_ml, Skip).Fit(_ml.Data.LoadFromEnumerable(rows)));
        Assert.StartsWith("12 of 12 images", error.Message, StringComparison.Ordinal);
        Assert.EndsWith("None is left.", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Scoring_gives_them_missing_values_and_the_others_what_they_have_alone(bool reloaded)
    {
        var rows = Rows(out var good);
        using var fitted = ImageModels.Pipeline(_ml, o =>
        {
            Skip(o);
            (o.RouterEntropyColumnName, o.UncertainColumnName) = ("Entropy", "Uncertain");
        }).Fit(_ml.Data.LoadFromEnumerable(good));
        using var loaded = reloaded ? (IDisposable)Features.FeatureTables.Reload(_ml, fitted) : null;
        var model = (ITransformer?)loaded ?? fitted;

        var alone = ImageModels.Score(_ml, model, good).ToDictionary(row => row.Id);
        var scored = ImageModels.Score(_ml, model, rows);

        Assert.Equal(rows.Count, scored.Count);
        foreach (var row in scored)
        {
            if (alone.TryGetValue(row.Id, out var expected))
                Assert.Equal(expected.Score, row.Score);
            else
                Assert.All(row.Score, score => Assert.True(float.IsNaN(score)));
        }

        var view = model.Transform(_ml.Data.LoadFromEnumerable(rows));
        Assert.Equal(rows.Count(row => !alone.ContainsKey(row.Id)), view.GetColumn<uint>("PredictedLabel").Count(key => key == 0));
        Assert.Equal(30, view.GetColumn<float[]>("Entropy").Count(pair => float.IsNaN(pair[0]) && float.IsNaN(pair[1])));
        Assert.Equal(30, ImageModels.Score(_ml, model, rows.Where(row => !alone.ContainsKey(row.Id))).Count);
    }

    [Fact]
    public void What_is_done_can_be_changed_on_a_trained_model()
    {
        var rows = Rows(out var good);
        using var chain = ImageModels.Pipeline(_ml, ImageModels.Files).Fit(_ml.Data.LoadFromEnumerable(good));
        using var skipping = chain.LastTransformer.WithBadImages(BadImageHandling.Skip);
        using var failing = skipping.WithBadImages(BadImageHandling.Fail);

        Assert.Equal(150, skipping.Transform(_ml.Data.LoadFromEnumerable(rows)).GetColumn<float[]>("Score").Count());
        var error = Assert.Throws<InvalidOperationException>(
            () => failing.Transform(_ml.Data.LoadFromEnumerable(rows)).GetColumn<float[]>("Score").Count());
        Assert.StartsWith("The image of row 3 in column 'Image' cannot be used", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => skipping.WithBadImages((BadImageHandling)7));

        var engine = _ml.Model.CreatePredictionEngine<ImageRow, Prediction>(skipping, new PredictionEngineOptions { OwnsTransformer = false });
        Assert.All(engine.Predict(rows[2]).Score, score => Assert.True(float.IsNaN(score)));
        Assert.Equal(1f, engine.Predict(rows[0]).Score.Sum(), 1e-5f);
    }

    [Fact]
    public void Files_that_a_step_before_cannot_load_are_bad_images_too()
    {
        using var folder = new TemporaryFolder();
        var rows = ImageTables.Rows(30).Select((row, i) =>
        {
            File.WriteAllBytes(folder[$"{i}.bmp"], row.Image!);
            return new PathRow { Path = i % 10 == 4 ? "nowhere.bmp" : $"{i}.bmp", Label = row.Label };
        }).ToList();
        var data = _ml.Data.LoadFromEnumerable(rows);
        foreach (var load in new IEstimator<ITransformer>[]
        {
            _ml.Transforms.LoadImages("Image", folder[""], "Path"), _ml.Transforms.LoadRawImageBytes("Image", folder[""], "Path"),
        })
        {
            _log.Clear();
            var pipeline = _ml.Transforms.Conversion.MapValueToKey("Label").Append(load).Append(ImageModels.Trainer(_ml, Skip));
            using var model = pipeline.Fit(data);
            Assert.Single(_log, line => line.Contains("Warning: 3 of 30 images in column 'Image'", StringComparison.Ordinal) && line.Contains("row 5: ", StringComparison.Ordinal));
            Assert.Equal(3, model.Transform(data).GetColumn<float[]>("Score").Count(score => float.IsNaN(score[0])));
        }
    }

    private static void Skip(MoeImageClassificationTrainer.Options options)
    {
        ImageModels.Files(options);
        options.BadImages = BadImageHandling.Skip;
    }

    /// <summary>Rows of which each fifth is bad, one way or another.</summary>
    private static List<ImageRow> Rows(out List<ImageRow> good)
    {
        var rows = ImageTables.Rows(150);
        good = [.. rows.Where((_, i) => i % 5 != 2)];
        for (var i = 2; i < rows.Count; i += 5)
            rows[i].Image = (i % 3) switch { 0 => rows[i].Image![..60], 1 => null, _ => "not an image"u8.ToArray() };
        return rows;
    }

    private sealed class PathRow
    {
        public string Path { get; set; } = "";

        public string? Label { get; set; }
    }
}
