using Microsoft.ML.Data;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Tests.Persistence;

namespace Microsoft.ML.Moe.Tests.ImageClassification;

/// <summary>Image classifiers whose tokens are made by convolutions.</summary>
public class StemTests
{
    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void SavedAndLoadedItScoresTheSame()
    {
        using var model = ImageModels.Fit(_ml, Convolutional);
        var rows = ImageTables.Rows(60, seed: 2);
        var scored = _ml.MulticlassClassification.Evaluate(model.Transform(_ml.Data.LoadFromEnumerable(rows)));
        Assert.InRange(scored.MicroAccuracy, 0.9, 1);

        var again = RoundTripTests.Load(RoundTripTests.Save(model));
        using var reloaded = (IDisposable)again;

        Assert.Equal(Scores(model, rows), Scores(again, rows));
    }

    [Fact]
    public void FilesOfTheDefaultSizeHaveOne()
    {
        // 64 × 64 pixels in colours, eight a token
        var options = new MoeImageClassificationTrainer.Options { FeatureColumnName = "Image", MaxEpochs = 1 };
        var rows = _ml.Data.LoadFromEnumerable(ImageTables.Rows(12));
        using var model = _ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(_ml.MulticlassClassification.Trainers.MoeImageClassifier(options)).Fit(rows);

        var report = model.LastTransformer.ReportRouting(rows);
        Assert.Equal((12, 12 * 64, 8), (report.Rows, report.Tokens, report.Experts));
        Assert.Single(report.Layers);
    }

    private static void Convolutional(MoeImageClassificationTrainer.Options options) =>
        (options.Stem, options.PatchSize, options.MaxEpochs) = (ImageStem.Convolutional, null, 15);

    private float[] Scores(ITransformer model, IEnumerable<ImageRow> rows) =>
        [.. model.Transform(_ml.Data.LoadFromEnumerable(rows)).GetColumn<float[]>("Score").SelectMany(row => row)];
}
