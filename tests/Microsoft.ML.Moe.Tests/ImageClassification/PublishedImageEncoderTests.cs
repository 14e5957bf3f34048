using Microsoft.ML.Data;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Rows;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.ImageClassification;

/// <summary>Image classifiers that begin with a published encoder.</summary>
public sealed class PublishedImageEncoderTests : IDisposable
{
    private readonly MLContext _ml = new(seed: 1);
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("vit")]
    [InlineData("deit")]
    [InlineData("resnet")]
    public void AClassifierWithAPublishedEncoderLearnsAndIsTheSameOnceSavedAndLoaded(string type)
    {
        using var model = Fit(type);
        var rows = ImageTables.Rows(30, seed: 2);
        var before = ImageModels.Score(_ml, model, rows);
        var file = Path.Combine(_folder.Path, "model.zip");
        _ml.Model.Save(model, null, file);

        var loaded = _ml.Model.Load(file, out _);
        using (loaded as IDisposable)
            Assert.All(before.Zip(ImageModels.Score(_ml, loaded, rows)), pair => Assert.Equal(pair.First.Score, pair.Second.Score));
        // three classes of noise and bars, by an encoder of random weights
        Assert.True(before.Zip(rows).Count(pair => Math.Abs(pair.First.Score.Max() - 1f / 3) > 0.05f) > 15);
        var metrics = _ml.MulticlassClassification.Evaluate(model.Transform(_ml.Data.LoadFromEnumerable(rows)));
        Assert.True(metrics.MicroAccuracy > 0.5, $"{metrics.MicroAccuracy:P1}");
    }

    [Fact]
    public void AnUpcycledEncoderReportsItsRouting()
    {
        using var model = Fit("vit", o => o.Upcycling = Upcycling.Copies(experts: 3));
        var report = model.LastTransformer.ReportRouting(_ml.Data.LoadFromEnumerable(ImageTables.Rows(4)));

        var layer = Assert.Single(report.Layers);
        Assert.Equal(1, layer.Block);
        Assert.Equal(4 * (1 + 16), layer.Tokens);
    }

    [Fact]
    public void ImagesOfAnotherSizeAreReadWhereThatIsAskedFor()
    {
        using var model = Fit("vit", o => o.ImageWidth = 12);
        Assert.NotEmpty(ImageModels.Score(_ml, model, ImageTables.Rows(2)));

        var error = Assert.ThrowsAny<ArgumentException>(() => Fit("vit", o => o.ImageWidth = 13));
        Assert.Contains("do not divide images of 13 × 13", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ConvolutionsAreTrainedOnImagesThatAreChanged()
    {
        double[] Fitted(Microsoft.ML.Moe.Training.FineTuning tuning, float shift)
        {
            // too few rows to hold some out: what was trained is kept, better or not
            using var model = Fit(
                "resnet",
                o =>
                {
                    o.ImageWidth = 16;
                    o.FineTuning = tuning with { Epochs = 1 };
                    o.ValidationShare = 0;
                    o.MaxShift = shift;
                },
                ImageTables.Rows(40));
            return [.. ImageModels.Score(_ml, model, ImageTables.Rows(6, seed: 3)).SelectMany(row => row.Score).Select(score => (double)score)];
        }

        // two blocks go on from states that are kept, of images as they are
        Assert.Equal(Fitted(Microsoft.ML.Moe.Training.FineTuning.TopLayers(2), 0f), Fitted(Microsoft.ML.Moe.Training.FineTuning.TopLayers(2), 0.5f));
        var all = Microsoft.ML.Moe.Training.FineTuning.AllLayers with { LearningRate = 1e-2f };
        var changed = Fitted(all, 0.5f);
        Assert.Equal(changed, Fitted(all, 0.5f));
        Assert.NotEqual(Fitted(all, 0f), changed);
    }

    [Fact]
    public void AConvolutionalEncoderIsNoMixture()
    {
        var error = Assert.ThrowsAny<ArgumentException>(() => Fit("resnet", o => o.Upcycling = Upcycling.Copies()));
        Assert.Contains("ResNet consists of convolutions", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatDoesNotGoWithAnEncoderIsNamed()
    {
        var encoder = PublishedEncoder.FromFolder(Folder("vit"));
        Contains("Upcycling makes a mixture", o => o.Upcycling = Upcycling.Copies());
        Contains("set one of them", o => (o.Encoder, o.InitialModel) = (encoder, PretrainedModel.From(Fit("vit"))));
        Contains("leave Channels null", o => (o.Encoder, o.Channels) = (encoder, 1));
        Contains("lets the table decide", o => (o.Encoder, o.FineTuning) = (encoder, null!));
        Contains("which a published encoder has with Upcycling", o => (o.Encoder, o.UncertainColumnName) = (encoder, "Unsure"));

        void Contains(string reason, Action<MoeImageClassificationTrainer.Options> change) => Assert.Contains(
            reason, Assert.ThrowsAny<ArgumentException>(() => ImageModels.Trainer(_ml, change)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AFolderThatIsNotAllThereOrNotOfImagesIsNamed()
    {
        var without = Path.Combine(_folder.Path, "without");
        TinyVision.Write(without, preprocessing: null);
        Assert.Contains(
            "preprocessor_config.json", Assert.Throws<FileNotFoundException>(() => Fit(without)).Message, StringComparison.Ordinal);
        var text = Path.Combine(_folder.Path, "text");
        TinyPublished.Write(text, TinyPublished.Bert);
        Assert.Contains("encoder of texts (BERT)", Assert.Throws<InvalidDataException>(() => Fit(text)).Message, StringComparison.Ordinal);
        var other = Path.Combine(_folder.Path, "other");
        TinyVision.Write(other, preprocessing: TinyVision.Preprocessing.With(("size", new { height = 10, width = 10 })));
        Assert.Contains("set ImageWidth", Assert.Throws<InvalidDataException>(() => Fit(other)).Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    [Trait("Category", "Goldens")]
    public void FilesComeToTheModelBitForBitAsTheOriginalLibraryBringsThemThere()
    {
        var path = Goldens.Root is { } root ? Path.Combine(root, "models", "vit-image") : "";
        Skip.IfNot(Directory.Exists(path), "There are no goldens of pictures: set MLNETMOE_GOLDENS to their folder.");
        using var golden = GoldenModel.Open(path);
        foreach (var test in golden.Cases)
            foreach (var processor in new[] { "vit", "deit" })
            {
                var preprocessing = ImagePreprocessing.Read(Path.Combine(path, processor), channels: 3);
                var images = new ImageInput(preprocessing, 3);
                var pixels = new ImageDecoding(images).Decode(File.ReadAllBytes(Path.Combine(path, test.Member("file").GetString()!)));
                var values = new float[images.Length];
                preprocessing.Scale.CopyTo(pixels, values);
                float[] planes = [.. Enumerable.Range(0, 3).SelectMany(channel => values.Where((_, i) => i % 3 == channel))];
                Assert.Equal(golden.Tensor($"{test.Name}.{processor}.pixel_values")!.Value.Values, planes);
            }
    }

    private TransformerChain<MoeImageClassificationTransformer> Fit(
        string type, Action<MoeImageClassificationTrainer.Options>? change = null, IEnumerable<ImageRow>? rows = null) =>
        ImageModels.Fit(
            _ml,
            o =>
            {
                o.FeatureColumnName = "Image";
                o.Encoder = PublishedEncoder.FromFolder(Folder(type));
                o.FineTuning = Microsoft.ML.Moe.Training.FineTuning.TopLayers(1) with { Epochs = 2 };
                o.PatchSize = null;
                change?.Invoke(o);
            },
            rows);

    private string Folder(string type)
    {
        if (type is not ("vit" or "deit" or "resnet"))
            return type;
        var path = Path.Combine(_folder.Path, type);
        if (!Directory.Exists(path))
            TinyVision.Write(path, type == "resnet" ? TinyVision.ResNet : TinyVision.Vit.With(("model_type", type)));
        return path;
    }
}
