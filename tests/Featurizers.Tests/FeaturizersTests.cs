using Microsoft.ML.Data;
using Microsoft.ML.Moe.Onnx.Graph;
using Microsoft.ML.Transforms.Image;
using DataType = Microsoft.ML.Moe.Onnx.Format.TensorProto.Types.DataType;

namespace Microsoft.ML.Moe.Tests.Featurizers;

/// <summary>What ML.NET's own featurizers give is learned, saved and loaded like any vector of features.</summary>
public sealed class FeaturizersTests
{
    private const int Side = 32;
    private readonly MLContext _ml = new(seed: 1);

    [Fact]
    public void Vectors_of_a_published_image_network()
    {
        var images = _ml.Data.LoadFromEnumerable(Enumerable.Range(0, 16)
            .Select(i => new Picture { Label = i % 2 == 0 ? "striped" : "plain", Image = Draw(i) })
            .ToList());
        var featurize = _ml.Transforms.ResizeImages("Resized", 224, 224, nameof(Picture.Image))
            .Append(_ml.Transforms.ExtractPixels("Pixels", "Resized"))
            .Append(_ml.Transforms.DnnFeaturizeImage("Features", m => m.ModelSelector.ResNet18(_ml, m.OutputColumn, m.InputColumn), "Pixels"))
            .Fit(images);
        // the network is slow: once is enough
        var features = _ml.Data.Cache(featurize.Transform(images), "Label", "Features");
        AssertLearned(features);
    }

    [Fact]
    public void Vectors_of_an_onnx_file()
    {
        using var folder = new TemporaryFolder();
        var graph = new GraphBuilder();
        graph.Output(graph.Each("Abs", graph.Input("x", DataType.Float, 2)), "y", DataType.Float, 2);
        OnnxWriter.Write(graph, folder["abs.onnx"], outside: false, []);
        var random = new Random(1);
        var rows = _ml.Data.LoadFromEnumerable(Enumerable.Range(0, 200).Select(_ =>
        {
            float[] x = [2 * random.NextSingle() - 1, 2 * random.NextSingle() - 1];
            return new Vector { X = x, Label = Math.Abs(x[0]) > Math.Abs(x[1]) ? "wide" : "high" };
        }).ToList());
        var onnx = _ml.Transforms.ApplyOnnxModel("y", "x", folder["abs.onnx"]).Append(_ml.Transforms.CopyColumns("Features", "y")).Fit(rows);
        Assert.All(onnx.Transform(rows).GetColumn<float[]>("Features"), y => Assert.All(y, value => Assert.True(value >= 0)));
        AssertLearned(onnx.Transform(rows));
    }

    private void AssertLearned(IDataView features)
    {
        var pipeline = _ml.Transforms.Conversion.MapValueToKey("Label")
            .Append(_ml.MulticlassClassification.Trainers.MoeClassifier(new MoeFeatureClassificationTrainer.Options
            {
                Width = 16, Experts = 4, ExpertWidth = 16, Members = 4, Networks = 1, Threads = 1, ValidationShare = 0,
            }));
        using var model = pipeline.Fit(features);
        Assert.True(_ml.MulticlassClassification.Evaluate(model.Transform(features)).MicroAccuracy > 0.9);
        using var zip = new MemoryStream();
        _ml.Model.Save(model, features.Schema, zip);
        zip.Position = 0;
        var again = _ml.Model.Load(zip, out _);
        using var disposal = (IDisposable)again;
        Assert.Equal(model.Transform(features).GetColumn<float[]>("Score"), again.Transform(features).GetColumn<float[]>("Score"));
    }

    /// <summary>Stripes or one colour, of any hue.</summary>
    private static MLImage Draw(int seed)
    {
        var random = new Random(seed);
        var (one, other) = (new byte[3], new byte[3]);
        random.NextBytes(one);
        random.NextBytes(other);
        var pixels = new byte[Side * Side * 4];
        for (var i = 0; i < Side * Side; i++)
        {
            (seed % 2 == 0 && i % Side / 4 % 2 == 0 ? other : one).CopyTo(pixels, 4 * i);
            pixels[4 * i + 3] = byte.MaxValue;
        }

        return MLImage.CreateFromPixels(Side, Side, MLPixelFormat.Bgra32, pixels);
    }

    private sealed class Picture
    {
        public string Label { get; set; } = "";

        [ImageType(Side, Side)]
        public MLImage? Image { get; set; }
    }

    private sealed class Vector
    {
        public string Label { get; set; } = "";

        [ColumnName("x")]
        [VectorType(2)]
        public float[] X { get; set; } = [];
    }
}
