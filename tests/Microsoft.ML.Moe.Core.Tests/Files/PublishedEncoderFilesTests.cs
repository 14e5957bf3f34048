using Microsoft.ML.Moe.EncoderFiles;
using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Tests.Files;

/// <summary>The tool that makes the files of the packages with published encoders.</summary>
public sealed class PublishedEncoderFilesTests : IDisposable
{
    private const string Sizes = """
        {"model_type":"bert","hidden_size":4,"intermediate_size":6,"vocab_size":9,"max_position_embeddings":8,"type_vocab_size":2,
        """;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ResourceIsFoundInAnAssemblyThatIsNotLoaded()
    {
        var assembly = typeof(FSharp.Core.Unit).Assembly;
        var name = assembly.GetManifestResourceNames()[0];
        using var stream = assembly.GetManifestResourceStream(name)!;
        var expected = new byte[stream.Length];
        stream.ReadExactly(expected);

        var resource = ManifestResource.Find(assembly.Location, name);

        Assert.Equal((name, expected.Length), (resource.Name, resource.Length));
        Assert.Equal(expected, File.ReadAllBytes(assembly.Location).AsSpan((int)resource.Start, (int)resource.Length).ToArray());
    }

    [Fact]
    public void MissingResourceAndDamagedAssemblyAreRefused()
    {
        var assembly = typeof(FSharp.Core.Unit).Assembly;
        var error = Assert.Throws<InvalidDataException>(() => ManifestResource.Find(assembly.Location, ".onnx"));
        Assert.Contains("0 resources *.onnx", error.Message, StringComparison.Ordinal);

        var name = assembly.GetManifestResourceNames()[0];
        var bytes = File.ReadAllBytes(assembly.Location);
        foreach (var length in new[] { 0, 1, 200, 1000, bytes.Length / 2, (int)ManifestResource.Find(assembly.Location, name).Start + 10 })
        {
            File.WriteAllBytes(_folder["cut.dll"], bytes[..length]);
            Assert.Throws<InvalidDataException>(() => ManifestResource.Find(_folder["cut.dll"], name));
        }
    }

    [Fact]
    public void AllWrongTensorsAreNamedTogether()
    {
        File.WriteAllBytes(_folder["model.onnx"], OnnxBytes.Model(
            OnnxBytes.Tensor("embeddings.LayerNorm.bias", [5]),
            OnnxBytes.Tensor("embeddings.LayerNorm.weight", [4]),
            OnnxBytes.Tensor("classifier.bias", [2])));
        using var weights = OnnxWeights.Open(_folder["model.onnx"]);

        var error = Assert.Throws<InvalidDataException>(() => PublishedEncoderFiles.WriteWeights(
            weights, BertTensors.Of(Config(), hasPooler: true), _folder["model.safetensors"]));

        Assert.Contains("embeddings.LayerNorm.bias has the shape [5], not [4]", error.Message, StringComparison.Ordinal);
        Assert.Contains("embeddings.word_embeddings.weight is missing", error.Message, StringComparison.Ordinal);
        Assert.Contains("encoder.layer.1.output.dense.weight is missing", error.Message, StringComparison.Ordinal);
        Assert.Contains("pooler.dense.bias is missing", error.Message, StringComparison.Ordinal);
        Assert.Contains("classifier.bias belongs to no BERT encoder", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("embeddings.LayerNorm.weight", error.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(_folder["model.safetensors"]));
    }

    [Theory]
    [InlineData(false, 37)]
    [InlineData(true, 39)]
    public void WholeEncoderIsWrittenInTheOrderOfItsModules(bool hasPooler, int count)
    {
        var expected = BertTensors.Of(Config(), hasPooler);
        File.WriteAllBytes(_folder["model.onnx"], OnnxBytes.Model([.. expected.Reverse().Select(t => OnnxBytes.Tensor(t.Name, t.Shape))]));
        using var weights = OnnxWeights.Open(_folder["model.onnx"]);

        PublishedEncoderFiles.WriteWeights(weights, expected, _folder["model.safetensors"]);

        Assert.Equal(count, expected.Count);
        using var files = TensorFiles.Open(_folder["model.safetensors"]);
        Assert.Equal(expected.Select(t => t.Name), files.Tensors.Values.OrderBy(t => t.Offset).Select(t => t.Name));
        Assert.Equal([6, 4], files.Tensors["encoder.layer.0.intermediate.dense.weight"].Shape);
        var values = new float[24];
        files.Read(files.Tensors["encoder.layer.0.output.dense.weight"], 0, values);
        Assert.Equal(OnnxBytes.Values([24]), values);
    }

    [Theory]
    [InlineData("{}", "model_type")]
    [InlineData("[]", "no JSON object")]
    [InlineData("{", "no JSON")]
    [InlineData("""{"model_type":"gpt2"}""", "model_type")]
    [InlineData("""{"model_type":"bert","hidden_size":-1}""", "hidden_size is no number from 1")]
    [InlineData(Sizes + "\"num_hidden_layers\":2000000000}", "num_hidden_layers is no number from 1 to 1000")]
    public void OtherConfigurationIsRefused(string config, string message) => Assert.Contains(
        message,
        Assert.Throws<InvalidDataException>(() => BertTensors.Of(_folder.Write("config.json", config), false)).Message,
        StringComparison.Ordinal);

    private string Config() => _folder.Write("config.json", Sizes + "\"num_hidden_layers\":2}");
}
