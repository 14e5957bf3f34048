using Microsoft.ML.Data;
using Microsoft.ML.Moe.Evaluation;
using Microsoft.ML.Moe.Routing;
using SkiaSharp;

namespace Microsoft.ML.Moe.Tests.ImageClassification;

/// <summary>What is told of trained image classifiers: pictures of routing, robustness.</summary>
public sealed class ImageReportTests
{
    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void PicturesShowEveryPatchInTheColourOfItsExpert()
    {
        using var model = ImageModels.Fit(_ml, o => (o.Experts, o.MaxEpochs) = (3, 1));
        var pictures = model.LastTransformer.DrawRouting(_ml.Data.LoadFromEnumerable(ImageTables.Rows(5)), new() { Images = 3 });

        Assert.Equal((3, 3), (pictures.Images, pictures.Experts));
        Assert.Equal([RouterKind.TokenChoice, RouterKind.ExpertChoice, RouterKind.Unified], pictures.Routers.Select(r => r.Kind));
        Assert.All(pictures.Routers, router => Assert.Equal(1, router.ExpertsPerToken));
        for (var router = 0; router < 3; router++)
        {
            // 3 × 3 patches of 2 pixels, each 6-fold
            using var picture = SKBitmap.Decode(pictures.ToPng(router, 0, 1));
            using var image = SKBitmap.Decode(pictures.ToPng(1));
            Assert.Equal((36, 36), (picture.Width, picture.Height));
            var experts = pictures.ExpertsOf(router, 0, 1);
            for (var patch = 0; patch < 9; patch++)
            {
                var (x, y) = (patch % 3 * 12 + 3, patch / 3 * 12 + 3);
                Assert.Equal(experts[patch] < 0, picture.GetPixel(x, y) == image.GetPixel(x, y));
            }
        }

        Assert.DoesNotContain(-1, pictures.ExpertsOf(0, 0, 0));
        Assert.Empty(pictures.Separations);
    }

    [Fact]
    public void ThePageNeedsNothingElseAndTheFilesAreThere()
    {
        using var model = ImageModels.Fit(_ml, o => o.MaxEpochs = 1);
        var pictures = model.LastTransformer.DrawRouting(_ml.Data.LoadFromEnumerable(ImageTables.Rows(2)));
        using var folder = new TemporaryFolder();
        pictures.SavePng(folder["pictures"]);
        pictures.SaveHtml(folder["page.html"]);

        var page = File.ReadAllText(folder["page.html"]);
        Assert.DoesNotContain("<script", page, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("http", page.Replace("http-equiv", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Equal(2 * (1 + 3), page.Split("data:image/png;base64,").Length - 1);
        Assert.Equal(
            new[] { 1, 2 }.SelectMany(i => new[]
            {
                $"image-{i}.png", $"image-{i}-block-0-TokenChoice.png", $"image-{i}-block-0-ExpertChoice.png", $"image-{i}-block-0-Unified.png",
            }).Order(StringComparer.Ordinal),
            Directory.GetFiles(folder["pictures"]).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void MasksTellHowWellExpertsKnowObjects()
    {
        using var model = ImageModels.Fit(_ml, o => (o.Experts, o.MaxEpochs) = (2, 3));
        var rows = ImageTables.Rows(20).Where(row => row.Label != "none").Select(row => new MaskedRow
        {
            Features = row.Features,
            Mask = [.. row.Features.Select(value => value > 120 ? 1f : 0f)],
        });
        var options = new RoutingPicturesOptions { MaskColumnName = "Mask", Images = 2, Routers = [Router.TokenChoice(1), Router.Unified(1)] };
        var pictures = model.LastTransformer.DrawRouting(_ml.Data.LoadFromEnumerable(rows), options);

        Assert.Equal(2, pictures.Images);
        Assert.Equal(options.Routers, pictures.Separations.Select(s => s.Router));
        Assert.All(pictures.Separations, s => Assert.InRange(s.Trained, -0.5, 1));
        Assert.All(pictures.Separations, s => Assert.InRange(s.TrainedWithinImages, -0.5, 1));
        Assert.Contains("Objects and background", pictures.ToHtml(), StringComparison.Ordinal);

        var wrong = _ml.Data.LoadFromEnumerable([new MaskedRow { Features = new float[36], Mask = new float[5] }]);
        Assert.Contains("mask of row 1 has 5 numbers", Assert.Throws<InvalidOperationException>(() =>
            model.LastTransformer.DrawRouting(wrong, options)).Message, StringComparison.Ordinal);
        Assert.Contains("'Nowhere'", Assert.ThrowsAny<ArgumentException>(() =>
            model.LastTransformer.DrawRouting(wrong, new() { MaskColumnName = "Nowhere" })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void RobustnessIsMeasuredOnTheTablesRows()
    {
        using var model = ImageModels.Fit(_ml);
        var data = _ml.Data.LoadFromEnumerable(ImageTables.Rows(30, seed: 2));
        var options = new RobustnessOptions
        {
            Corruptions = [ImageCorruptionKind.Contrast],
            Severities = [5],
            Attacks = [AdversarialAttack.ProjectedGradient(0.3, steps: 3)],
        };

        var metrics = model.LastTransformer.EvaluateRobustness(data, options);

        Assert.Equal(30, metrics.Rows);
        Assert.Equal(_ml.MulticlassClassification.Evaluate(model.Transform(data)).MicroAccuracy, metrics.Accuracy, 1e-9);
        Assert.True(metrics.Attacks.Single().Accuracy < metrics.Accuracy, metrics.ToString());
        Assert.Contains("PGD-3, L∞ 0.3", metrics.ToString(), StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => model.LastTransformer.EvaluateRobustness(data, new() { Severities = [0] }));
    }

    [Fact]
    public void AModelOfSoftMixturesHasNoRoutingToDraw()
    {
        using var model = ImageModels.Fit(_ml, o => (o.Router, o.MaxEpochs) = (Router.Soft(2), 1));
        var data = _ml.Data.LoadFromEnumerable(ImageTables.Rows(2));
        Assert.Contains("nothing that a router chose", Assert.Throws<InvalidOperationException>(() =>
            model.LastTransformer.DrawRouting(data)).Message, StringComparison.Ordinal);
        Assert.Contains("need a router that chooses", Assert.ThrowsAny<ArgumentException>(() =>
            ImageModels.Trainer(_ml, o => (o.Router, o.UncertainColumnName) = (Router.Soft(), "Unsure"))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, 1, "1")]
    [InlineData(1, 2, "0, 1")]
    [InlineData(2, null, "1")]
    public void TheLastOfEveryNthBlocksAreMixtures(int every, int? last, string blocks)
    {
        using var model = ImageModels.Fit(_ml, o => (o.Layers, o.MoeEvery, o.MoeLast, o.MaxEpochs) = (2, every, last, 1));
        var report = model.LastTransformer.ReportRouting(_ml.Data.LoadFromEnumerable(ImageTables.Rows(2)));
        Assert.Equal(blocks, string.Join(", ", report.Layers.Select(layer => layer.Block)));
    }

    private sealed class MaskedRow
    {
        [VectorType(36)]
        public float[] Features { get; set; } = [];

        public float[] Mask { get; set; } = [];
    }
}
