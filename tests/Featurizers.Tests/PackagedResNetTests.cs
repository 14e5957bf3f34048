using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;
using Microsoft.ML.Moe.Training;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Microsoft.ML.Moe.Tests.Featurizers;

/// <summary>The packaged ResNet-18 computes what ONNX Runtime computes of the file that it was made of, which ML.NET's featurizer carries.</summary>
public sealed class PackagedResNetTests
{
    private const int Side = 224;
    private const int Width = 512;
    private static readonly string Models = Path.Combine(AppContext.BaseDirectory, "DnnImageModels");

    [Fact]
    public void FeaturesAreThoseOfTheOriginalGraph()
    {
        using var engine = new ManagedEngine(2);
        var source = PublishedImageSource.Open(PublishedEncoder.ResNet18);
        var model = source.Folder.Load(
            engine, source.Input, new PooledClassesHeadConfig { Classes = 2, Layers = 1 }, seed: 1, _ => source.Encoder);
        var images = Enumerable.Range(1, 3).Select(seed => Picture(source.Input.Images, seed)).ToArray();
        using var tape = engine.BeginTape(training: false);
        var batch = model.Input.CreatePacker(model.Packing()).Pack(images);
        var features = ((FeatureHead)model.Head).Features(tape, model.Encode(tape, batch), batch).ToArray();
        Assert.Equal(images.Length * Width, features.Length);

        using var network = new InferenceSession(Path.Combine(Models, "ResNet18Onnx", "ResNet18.onnx"));
        using var preprocess = new InferenceSession(Path.Combine(Models, "ResNetPrepOnnx", "ResNetPreprocess.onnx"));
        var scaled = new float[source.Input.Images.Length];
        for (var i = 0; i < images.Length; i++)
        {
            var ours = features.AsSpan(i * Width, Width).ToArray();
            source.Input.Config.Scale.CopyTo(images[i], scaled);
            Assert.True(Difference(Run(network, Planes(scaled, [2, 1, 0])), ours) < 1e-4);

            // a mean image in place of its channels' means changes little
            images[i].CopyTo(scaled);
            var withMeanImage = Run(network, Run(preprocess, Planes(scaled, [0, 1, 2])));
            Assert.True(Difference(withMeanImage, ours) < 0.1);
            Assert.True(Difference(withMeanImage, ours) > 1e-4);
        }
    }

    /// <summary>The largest difference, as a share of the largest value.</summary>
    private static double Difference(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        return expected.Zip(actual, (one, other) => (double)Math.Abs(one - other)).Max() / expected.Max(Math.Abs);
    }

    private static float[] Run(InferenceSession session, float[] planes)
    {
        var input = new DenseTensor<float>(planes, [1, 3, Side, Side]);
        using var results = session.Run([NamedOnnxValue.CreateFromTensor(session.InputNames[0], input)]);
        return [.. results[0].AsEnumerable<float>()];
    }

    private static float[] Planes(float[] values, int[] channels) =>
        [.. channels.SelectMany(channel => Enumerable.Range(0, Side * Side).Select(pixel => values[3 * pixel + channel]))];

    /// <summary>Waves of colours, some noise among them.</summary>
    private static ImagePixels Picture(ImageInput images, int seed)
    {
        var random = new Random(seed);
        var pixels = new byte[images.Length];
        for (var i = 0; i < pixels.Length; i++)
        {
            var (x, y) = (i / 3 % Side, i / 3 / Side);
            pixels[i] = (byte)(120 + 60 * Math.Sin(x * seed / 20.0 + i % 3) + 50 * Math.Cos(y / (10.0 * seed)) + random.Next(20) - 10);
        }

        return images.EncodeAsItIs(pixels);
    }
}
