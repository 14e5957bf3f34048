using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Onnx;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Onnx;

/// <summary>
/// Models of images: patches that overlap and reach beyond the image, convolutions, and a published architecture's tokens.
/// </summary>
public sealed class ImageExportTests : IDisposable
{
    private const int Rows = 1000;

    private readonly ManagedEngine _engine = new(2);
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Routers { get; } = ["token", "experts", "unified", "soft"];

    public void Dispose()
    {
        _folder.Dispose();
        _engine.Dispose();
    }

    [Theory]
    [MemberData(nameof(Routers))]
    public void Classes_of_overlapping_patches(string router)
    {
        AssertAgrees(SmallModels.Patches(_engine, router switch
        {
            "token" => Router.TokenChoice(2),
            "experts" => Router.ExpertChoice(1.5),
            "unified" => Router.Unified(1.5),
            _ => Router.Soft(),
        }));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Classes_of_a_stem_of_convolutions(bool batchNorm)
    {
        var input = new ImageInputConfig
        {
            ImageWidth = 7,
            ImageHeight = 6,
            Channels = 2,
            PatchSize = 2,
            Means = [100f, 120f],
            Deviations = [60f, 70f],
            PatchMargin = 0,
            Convolutions = 0,
            Stem = new StemConfig { Widths = [4, 16], BatchNorm = batchNorm },
        };
        var encoder = new EncoderConfig { Width = 16, Layers = 1, Heads = 2, Experts = 4, ExpertWidth = 16, Router = Router.TokenChoice(2) };
        AssertAgrees(
            new ModelConfig { Input = input, Encoder = encoder, Head = new ClassesHeadConfig { Classes = 3 } }, new PatchInput(input));
    }

    [Fact]
    public void Classes_of_a_published_architecture()
    {
        var encoder = new VitConfig
        {
            Width = 16,
            Layers = 2,
            Heads = 2,
            DenseWidth = 24,
            ImageWidth = 8,
            ImageHeight = 8,
            PatchSize = 4,
            Channels = 3,
            VocabularySize = 0,
            Positions = 5,
        };
        // other sizes than the encoder's: its positions are interpolated
        var input = PublishedImageInputConfig.Of(
            encoder,
            new ImagePreprocessing { ResizeWidth = 12, ResizeHeight = 8, Means = [0.5f, 0.4f, 0.3f], Deviations = [0.2f, 0.3f, 0.4f] });
        AssertAgrees(
            new ModelConfig
            {
                Input = input, Encoder = encoder, Head = new PooledClassesHeadConfig { Classes = 3, Layers = 1, ReadsFirstToken = true },
            },
            new PatchInput(input));
    }

    [Fact]
    public void Classes_of_a_published_convolutional_network()
    {
        var encoder = new ResNetConfig
        {
            Width = 8,
            Layers = 2,
            ImageWidth = 16,
            ImageHeight = 8,
            PatchSize = 8,
            Channels = 3,
            EmbeddingWidth = 4,
            StageWidths = [4, 8],
            Depths = [1, 3],
            Activation = Activation.Relu,
            NormEpsilon = 1e-5f,
            VocabularySize = 0,
            Positions = 2,
        };
        var input = PublishedImageInputConfig.Of(
            encoder,
            new ImagePreprocessing { ResizeWidth = 16, ResizeHeight = 8, Means = [0.5f, 0.4f, 0.3f], Deviations = [0.2f, 0.3f, 0.4f] });
        AssertAgrees(
            new ModelConfig { Input = input, Encoder = encoder, Head = new PooledClassesHeadConfig { Classes = 3, Layers = 2 } }, new PatchInput(input));
    }

    private void AssertAgrees(ModelConfig config, PatchInput input) => AssertAgrees(SmallModels.Images(_engine, config, input));

    private void AssertAgrees(Model<ImagePixels> model)
    {
        var rows = SmallModels.ImageRows(model, Rows);
        OnnxExport.Save(model, _folder["model.onnx"]);
        using var file = new OnnxFile(_folder["model.onnx"]);
        var scores = file.Run("Score", SmallModels.Input(model, rows));
        OnnxFile.Close(model, rows, model.Scores(rows), scores, 3, fewRows: 3);
    }
}
