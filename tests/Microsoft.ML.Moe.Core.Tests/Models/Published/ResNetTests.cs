using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;
using Microsoft.ML.Moe.Tests.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>ResNet out of a folder: what it computes, what of it is trained, what is refused.</summary>
public sealed class ResNetTests : IDisposable
{
    private readonly ManagedEngine _engine = new(2);
    private readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _folder.Dispose();
        _engine.Dispose();
    }

    [Theory]
    [InlineData("basic", false, false)]
    [InlineData("basic", true, false)]
    [InlineData("bottleneck", false, false)]
    [InlineData("bottleneck", false, true)]
    [InlineData("bottleneck", true, true)]
    public void TokensAreThePixelsOfTheLastStage(string type, bool firstStage, bool firstOfBottleneck)
    {
        var source = Open(48, 32, ("layer_type", type), ("downsample_in_first_stage", firstStage), ("downsample_in_bottleneck", firstOfBottleneck));
        var model = Load(source);
        ImagePixels[] images = [Image(source, 1), Image(source, 2)];
        using var tape = _engine.BeginTape(training: false);
        var states = model.Encode(tape, model.Input.CreatePacker(model.Packing()).Pack(images)).Last;

        using var files = TensorFiles.Open(_folder.Path);
        var reference = new ResNetReference(files, type == "bottleneck", firstStage, firstOfBottleneck);
        var pixels = new float[source.Input.Images.Length];
        double[] expected =
        [
            .. images.SelectMany(image =>
            {
                source.Input.Config.Scale.CopyTo(image, pixels);
                var planes = new double[3, 32, 48];
                for (var i = 0; i < pixels.Length; i++)
                    planes[i % 3, i / 3 / 48, i / 3 % 48] = pixels[i];
                return reference.Run(planes, [2, 3]);
            }),
        ];
        Assert.Equal(firstStage ? [2 * 3 * 2, 16] : [2 * 6 * 4, 16], states.Shape.ToArray());
        Assert.Contains(expected, value => value > 0.1);
        TestNumbers.AssertClose(expected, states.ToArray(), 1e-4);
    }

    [Fact]
    public void WhatIsWrittenIsReadAgain()
    {
        var source = Open(16, 16, ("layer_type", "bottleneck"));
        using var files = TensorFiles.Open(_folder.Path);
        var parameters = Load(source).Parameters.All.Select(p => p.Parameter).Where(p => !p.Name.StartsWith("head.", StringComparison.Ordinal));
        var written = PublishedTensors.Of(parameters, source.Encoder.CreateRules(), ElementType.Float32);

        var whole = files.Tensors.Keys.Where(name => !name.EndsWith("tracked", StringComparison.Ordinal) && !name.StartsWith("classifier", StringComparison.Ordinal));
        Assert.Equal(whole.Order(), written.Select(tensor => "resnet." + tensor.Name).Order());
        Assert.All(written, tensor =>
        {
            var original = files.Tensors["resnet." + tensor.Name];
            var values = new float[original.Elements];
            files.Read(original, 0, values);
            Assert.Equal(original.Shape, tensor.Shape);
            Assert.Equal(values, tensor.Values());
        });
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(6)]
    public void TheTopLayersLearnAndNormsKeepWhatTheyHaveSeen(int layers)
    {
        var source = Open(16, 16);
        var model = Load(source);
        // classes that are scored by nothing would have nothing to say to the encoder
        var scores = model.Parameters.All.Single(p => p.Parameter.Name == "head.weight").Parameter.Value;
        scores.CopyFrom(TestNumbers.Normal(3, scores.Length));
        var before = model.Parameters.All.ToDictionary(p => p.Parameter.Name, p => p.Parameter.Value.ToArray());
        Example<ImagePixels>[] examples = [.. Enumerable.Range(0, 6).Select(i => new Example<ImagePixels>(Image(source, i), i % 2))];
        // the convolution before the stages, two blocks of the first and one of the last make tokens; two blocks are the encoder's
        Assert.Equal((4, 2), (source.Encoder.EmbeddingLayers, source.Encoder.Layers));
        var plan = new FineTuningPlan(FineTuningLoss.CrossEntropy, layers, 1, 6, 1e-2f, 1e-2f, 0.8f, 0f);
        var rows = new TuningRows<ImagePixels>(examples, [.. Enumerable.Repeat(1f, 6)], Kept: null) { TrainsEmbedding = layers > 2 };
        var objective = new ClassObjective<ImagePixels>(model, rows, [0, 1, 2, 3, 4, 5], [], Math.Max(0, 2 - layers), new TrainingConfig());
        using var optimizer = FineTuningOptimizer.Create(_engine, model.Parameters, 2, plan, freezeRouter: false, embeddingLayers: 4);
        objective.Prepare([0, 1, 2, 3, 4, 5], new Random(1));
        objective.Accumulate(1f);
        optimizer.Step(1f);

        var learned = Enumerable.Range(6 - layers, layers).Select(layer => layer < 4 ? $"embedding.layers.{layer}." : $"layers.{layer - 4}.").ToArray();
        Assert.All(model.Parameters.All, p =>
        {
            var name = p.Parameter.Name;
            var mayLearn = p.Role != ParameterRole.Statistic
                && (ClassifierHead.IsOfClasses(name) || learned.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal)));
            Assert.Equal(mayLearn, !before[name].AsSpan().SequenceEqual(p.Parameter.Value.ToArray()));
        });
    }

    [Fact]
    public void ImagesCostWhatTheirConvolutionsDo()
    {
        var (small, large) = (Load(Open(16, 16)), Load(Open(32, 32)));
        double[] costs = [.. new[] { small, large }.Select(model => model.Flops([Image(model, 1)], pairs: 0))];

        // four convolutions of the encoder's two blocks over 2 × 2 tokens, and all that comes before
        Assert.True(costs[0] > 2 * 4 * 4 * 9 * 16 * 16 + 2 * 8 * 8 * 49 * 3 * 6);
        Assert.Equal(4, costs[1] / costs[0], 1);
        Assert.True(large.Input.LoadOf(Image(large, 1)) >= large.Input.TokensOf(Image(large, 1)));
    }

    [Theory]
    [InlineData("layer_type", "wide", "layer_type 'wide' is not supported")]
    [InlineData("depths", new[] { 2, 1 }, "the last stage has 1 blocks (depths)")]
    [InlineData("depths", new[] { 2 }, "hidden_sizes has 2 stages and depths 1")]
    [InlineData("depths", new[] { 0, 2 }, "Depths")]
    [InlineData("hidden_sizes", new[] { 1, 2, 3, 4, 5, 6, 7 }, "of 1 to 6")]
    [InlineData("hidden_sizes", new[] { 8, 1 << 30 }, "Width")]
    [InlineData("hidden_act", "hard", "hidden_act 'hard'")]
    [InlineData("embedding_size", 0, "EmbeddingWidth")]
    [InlineData("num_channels", 100, "Channels")]
    public void WhatCannotBeReadIsNamed(string name, object value, string reason)
    {
        Directory.CreateDirectory(_folder.Path);
        File.WriteAllText(_folder["config.json"], TinyVision.ResNet.With((name, value)));
        Assert.Contains(reason, Assert.Throws<InvalidDataException>(() => PublishedFolder.Open(_folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void SizesAndMixturesThatCannotBeAreNamed()
    {
        Open(16, 16);
        var encoder = PublishedEncoder.FromFolder(_folder.Path);
        var size = Assert.Throws<ArgumentException>(() => PublishedImageSource.Open(encoder, width: 20));
        Assert.Contains("Squares of 8 pixels do not divide images of 20 × 20", size.Message, StringComparison.Ordinal);
        var mixture = Assert.Throws<ArgumentException>(() => PublishedImageSource.Open(encoder, Upcycling.Copies()));
        Assert.Contains("ResNet consists of convolutions", mixture.Message, StringComparison.Ordinal);
        var text = Assert.Throws<InvalidDataException>(() => PublishedEncoderSource.Open(encoder));
        Assert.Contains("an encoder of images (ResNet)", text.Message, StringComparison.Ordinal);
    }

    private PublishedImageSource Open(int width, int height, params (string Name, object? Value)[] changes)
    {
        TinyVision.Write(_folder.Path, TinyVision.ResNet.With(changes));
        return PublishedImageSource.Open(PublishedEncoder.FromFolder(_folder.Path), width: width, height: height);
    }

    private Model<ImagePixels> Load(PublishedImageSource source) => source.Folder.Load(
        _engine, source.Input, new PooledClassesHeadConfig { Classes = 2, Layers = 2, Dropout = 0f }, seed: 1, _ => source.Encoder);

    private static ImagePixels Image(PublishedImageSource source, int seed) => Image(source.Input.Images, seed);

    private static ImagePixels Image(Model<ImagePixels> model, int seed) => Image(((PatchInput)model.Input).Images, seed);

    private static ImagePixels Image(ImageInput images, int seed)
    {
        var pixels = new byte[images.Length];
        new Random(seed).NextBytes(pixels);
        return images.EncodeAsItIs(pixels);
    }
}
