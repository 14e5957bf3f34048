using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Training;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Models;

public sealed class ImageClassifierTests : IDisposable
{
    private readonly ManagedEngine _engine = new(2);
    private readonly Model<ImagePixels> _classifier;
    private readonly ImagePixels[] _images = [.. ToyImages.Rows(300, seed: 2).Select(r => r.Input)];

    public ImageClassifierTests() => _classifier = new ImageClassifierTrainer(
        ToyImages.Config(epochs: 2), ToyImages.Input, ToyImages.Classes, _engine).Train(ToyImages.Rows(60, seed: 1));

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void SavedAndLoadedItScoresTheSame()
    {
        using MemoryStream config = new(), weights = new();
        _classifier.Save(config, weights);
        (config.Position, weights.Position) = (0, 0);

        var loaded = ModelFiles.LoadImage(config, weights, _engine);

        Assert.Equal(_classifier.Scores(_images), loaded.Scores(_images));
        var images = Assert.IsType<PatchInput>(loaded.Input).Images;
        Assert.Equal((6, 6, 1), (images.Width, images.Height, images.Channels));
    }

    [Theory]
    [InlineData("\"imageWidth\": 6", "\"imageWidth\": 0", "ImageWidth")]
    [InlineData("\"imageHeight\": 6", "\"imageHeight\": 100000", "ImageHeight")]
    [InlineData("\"channels\": 1", "\"channels\": 2", "Means")]
    [InlineData("\"patchSize\": 2", "\"patchSize\": 0", "PatchSize")]
    [InlineData("\"patchMargin\": 1", "\"patchMargin\": 3", "PatchMargin")]
    [InlineData("\"means\": [", "\"means\": [ 1,", "Means")]
    [InlineData("\"deviations\": [", "\"deviations\": [ 1,", "Deviations")]
    [InlineData("\"classes\": 3", "\"classes\": 0", "Classes")]
    public void AnImpossibleConfigurationIsNamed(string before, string after, string named)
    {
        using MemoryStream config = new(), weights = new();
        _classifier.Save(config, weights);
        var text = System.Text.Encoding.UTF8.GetString(config.ToArray());
        Assert.Contains(before, text, StringComparison.Ordinal);
        using var forged = new MemoryStream(System.Text.Encoding.UTF8.GetBytes(text.Replace(before, after, StringComparison.Ordinal)));
        weights.Position = 0;

        var error = Assert.Throws<InvalidDataException>(() => ModelFiles.LoadImage(forged, weights, _engine));

        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ScoresDoNotDependOnTheRowsScoredTogether()
    {
        var all = _classifier.Scores(_images);
        var alone = _images.Take(5).SelectMany(image => _classifier.Scores([image])).ToArray();

        Assert.Equal(alone, all.Take(alone.Length), (a, b) => Math.Abs(a - b) < 1e-5f);
        Assert.All(all.Chunk(3), row => Assert.Equal(1f, row.Sum(), 1e-5f));
    }

    [Fact]
    public void RoutersCanBeExchangedAndCompared()
    {
        var rows = ToyImages.Rows(60, seed: 3);

        var results = _classifier.CompareRouting(rows, [_classifier.Router, Router.TokenChoice(1), Router.Unified(1.5)]);

        Assert.Equal(_classifier.Measure(rows).Metric, results[0].Accuracy, 1e-9);
        Assert.Equal([2, 1], results.Take(2).Select(r => r.ExpertsPerToken));
        Assert.Equal(13.0 / 9, results[2].ExpertsPerToken, 1e-9); // ⌊9 · 1.5⌋ of 9 patches
        Assert.Equal(Flops(pairs: 9 * 2), results[0].FlopsPerRow, 1e-3);
        Assert.NotEqual(_classifier.Scores(_images), _classifier.WithRouting(Router.TokenChoice(1)).Scores(_images));

        // 9 patches that see 16 values each; two convolutions, width 16, experts of 16, 3 classes, 4 queries
        static double Flops(int pairs) =>
            2.0 * (9 * (16 * 16 + 2 * 9 * 16 * 16 + 4 * 16 * 16 + 16 * 3 + 2 * 4 * 16) + 9 * 9 * 2 * 16 + pairs * 2 * 16 * 16 + 5 * 16 * 3);
    }

    [Fact]
    public void AReportNamesThePatches()
    {
        var report = _classifier.ReportRouting(_images, new RoutingReportOptions { UncertainThreshold = 0, SampledTokens = 0 });

        Assert.Equal((300, 300 * 9, 0), (report.Rows, report.Tokens, report.TokensCutOff));
        var layer = Assert.Single(report.Layers);
        Assert.Equal(9, layer.MostUncertainTokens.Count);
        Assert.All(layer.MostUncertainTokens, token => Assert.Equal(300, token.Count));
        Assert.Equal("row 1, column 1", layer.MostUncertainTokens[0].Text);
    }
}
