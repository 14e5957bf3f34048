using Microsoft.ML.Moe.EncoderFiles;
using Microsoft.ML.Moe.Files;
using static Microsoft.ML.Moe.Tests.Files.OnnxBytes;

namespace Microsoft.ML.Moe.Tests.Files;

/// <summary>The weights of a ResNet out of an ONNX graph whose tensors have meaningless names.</summary>
public sealed class ResNetWeightsTests : IDisposable
{
    private const string Config = """
        {
          "model_type": "resnet", "num_channels": 3, "embedding_size": 4, "hidden_sizes": [4, 8], "depths": [1, 2], "layer_type": "basic"
        }
        """;

    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string, byte[][]> NoResNets => new()
    {
        { "it has no convolution", [] },
        { "behind the convolution of embedder.embedder there is no batch norm", [Node("Conv", ["x", "w"], "y"), Node("Relu", ["y"], "z")] },
        { "y has not one reader", [Node("Conv", ["x", "w"], "y"), Tensor("w", [4, 3, 7, 7])] },
        { "is no convolution without bias", [Node("Conv", ["x", "w", "b"], "y")] },
        { "w is no tensor of 4 dimensions", [Node("Conv", ["x", "w"], "y"), Node("BatchNormalization", ["y", "a", "b", "c", "d"], "z"), Tensor("w", [4, 3])] },
        { "n0 goes to MaxPool, not to Relu", [.. Normed(0, "x", 4, 3, 7), Node("MaxPool", ["n0"], "p")] },
        // a block that leads back to itself
        {
            "is one that has been before",
            [
                .. Normed(0, "x", 4, 3, 7), Node("Relu", ["n0"], "r0"), Node("MaxPool", ["r0"], "p"),
                .. Normed(1, "p", 4, 4, 3), Node("Relu", ["n1"], "r1"), .. Normed(2, "r1", 4, 4, 3), Node("Add", ["n2", "q"], "s"), Node("Relu", ["s"], "p"),
            ]
        },
    };

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void NamesFollowFromWhereTheGraphReadsATensor(bool isReversed)
    {
        byte[][] parts = [.. Network()];
        // the first convolution is the first of the nodes; what else stands where says nothing
        Write([parts[0], .. isReversed ? parts[1..].Reverse() : parts[1..]]);
        File.WriteAllText(_folder["config.json"], Config);
        PublishedEncoderFiles.Write(_folder["model.onnx"], _folder["config.json"], _folder["made"]);

        using var files = TensorFiles.Open(_folder["made"]);
        Assert.Equal(ResNetTensors.Of(_folder["config.json"]).Select(t => t.Name).Order(), files.Tensors.Keys.Order());
        Assert.Equal(4f, Read("encoder.stages.0.layers.0.layer.1.normalization.running_var")[0]);
        Assert.Equal([8, 4, 1, 1], files.Tensors["encoder.stages.1.layers.0.shortcut.convolution.weight"].Shape);
        Assert.Equal([8, 8, 3, 3], files.Tensors["encoder.stages.1.layers.1.layer.0.convolution.weight"].Shape);
        Assert.Equal(Values([4 * 4 * 9]), Read("encoder.stages.0.layers.0.layer.0.convolution.weight"));
        // blue, green, red become red, green, blue
        Assert.Equal(
            [.. Enumerable.Range(0, 4 * 3).SelectMany(plane => Values([4 * 3 * 49])[((plane + 2 - 2 * (plane % 3)) * 49)..][..49])],
            Read("embedder.embedder.convolution.weight"));
        using var weights = ResNetWeights.Open(_folder["model.onnx"]);
        var part = new float[2];
        weights.Read(weights.Tensors["embedder.embedder.convolution.weight"], 48, part);
        Assert.Equal(Read("embedder.embedder.convolution.weight")[48..50], part);

        float[] Read(string name)
        {
            var values = new float[files.Tensors[name].Elements];
            files.Read(files.Tensors[name], 0, values);
            return values;
        }
    }

    [Theory]
    [MemberData(nameof(NoResNets))]
    public void AnotherGraphIsRefused(string reason, byte[][] parts)
    {
        Write(parts);
        Assert.Contains(reason, Assert.Throws<InvalidDataException>(() => ResNetWeights.Open(_folder["model.onnx"])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnotherConfigurationAndDamagedFilesAreRefused()
    {
        Write([.. Network()]);
        File.WriteAllText(_folder["config.json"], Config.Replace("[1, 2]", "[1, 3]", StringComparison.Ordinal));
        var error = Assert.Throws<InvalidDataException>(() => PublishedEncoderFiles.Write(_folder["model.onnx"], _folder["config.json"], _folder["made"]));
        Assert.Contains("encoder.stages.1.layers.2.layer.1.normalization.bias is missing", error.Message, StringComparison.Ordinal);

        var bytes = File.ReadAllBytes(_folder["model.onnx"]);
        foreach (var length in new[] { 0, 1, 10, bytes.Length / 2, bytes.Length - 1 })
        {
            File.WriteAllBytes(_folder["model.onnx"], bytes[..length]);
            Assert.Throws<InvalidDataException>(() => ResNetWeights.Open(_folder["model.onnx"]));
        }
    }

    private static IEnumerable<byte[]> Network() =>
    [
        .. Normed(0, "x", 4, 3, 7), Node("Relu", ["n0"], "r0"), Node("MaxPool", ["r0"], "p"),
        .. Normed(1, "p", 4, 4, 3), Node("Relu", ["n1"], "r1"), .. Normed(2, "r1", 4, 4, 3), Node("Add", ["n2", "p"], "s2"), Node("Relu", ["s2"], "b1"),
        .. Normed(3, "b1", 8, 4, 1), .. Normed(4, "b1", 8, 4, 3), Node("Relu", ["n4"], "r4"), .. Normed(5, "r4", 8, 8, 3),
        Node("Add", ["n5", "n3"], "s5"), Node("Relu", ["s5"], "b2"),
        .. Normed(6, "b2", 8, 8, 3), Node("Relu", ["n6"], "r6"), .. Normed(7, "r6", 8, 8, 3), Node("Add", ["n7", "b2"], "s7"), Node("Relu", ["s7"], "b3"),
        Node("AveragePool", ["b3"], "y"),
    ];

    /// <summary>A convolution with its norm, whose statistics begin with 1, 2, 3 and 4.</summary>
    private static byte[][] Normed(int number, string input, int outputs, int inputs, int side) =>
    [
        Node("Conv", [input, $"w{number}"], $"c{number}"),
        Node("BatchNormalization", [$"c{number}", .. Enumerable.Range(1, 4).Select(of => $"t{number}.{of}")], $"n{number}"),
        Tensor($"w{number}", [outputs, inputs, side, side]),
        .. Enumerable.Range(1, 4).Select(of => Tensor(
            $"t{number}.{of}", [outputs], false, FloatType, [.. Enumerable.Repeat((float)of, outputs).SelectMany(BitConverter.GetBytes)])),
    ];

    private void Write(byte[][] parts) => File.WriteAllBytes(_folder["model.onnx"], Model(parts));
}
