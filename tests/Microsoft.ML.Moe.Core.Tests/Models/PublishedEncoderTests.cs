using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Tests.Models;

/// <summary>Where published encoders are found, and what the packages hold.</summary>
public sealed class PublishedEncoderTests : IDisposable
{
    // of bert-base-uncased, and of both encoders as published
    private const string VocabularyHash = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3";
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, long, int> Packages => new()
    {
        { nameof(PublishedEncoder.MiniLM), 22_713_216, 103 },
        { nameof(PublishedEncoder.ArcticXs), 22_565_376, 101 },
    };

    [Theory]
    [MemberData(nameof(Packages))]
    public void PackageHoldsAllWeights(string name, long parameters, int tensors)
    {
        using var files = TensorFiles.Open(Encoder(name).ResolveFolder());

        Assert.Equal(tensors, files.Tensors.Count);
        Assert.Equal(parameters, files.Tensors.Values.Sum(t => t.Elements));
        Assert.Equal(
            22_565_376, files.Tensors.Values.Where(t => t.Name is not ("pooler.dense.weight" or "pooler.dense.bias")).Sum(t => t.Elements));
        Assert.All(files.Tensors.Values, tensor => Assert.Equal(TensorType.F32, tensor.Type));
        Assert.Equal([384, 1536], files.Tensors["encoder.layer.5.output.dense.weight"].Shape);
        Assert.Equal([1536, 384], files.Tensors["encoder.layer.0.intermediate.dense.weight"].Shape);
    }

    [Fact]
    public void PackageOfImagesHoldsAllWeightsAndSaysHowTheyAreUsed()
    {
        var folder = PublishedEncoder.ResNet18.ResolveFolder();
        using var files = TensorFiles.Open(folder);

        // 22 convolutions, each with four vectors of its norm
        Assert.Equal(22 * 5, files.Tensors.Count);
        Assert.Equal(15_908_800, files.Tensors.Values.Sum(t => t.Elements));
        Assert.Equal([512, 512, 3, 3], files.Tensors["encoder.stages.3.layers.2.layer.1.convolution.weight"].Shape);
        var preprocessing = ImagePreprocessing.Read(folder, channels: 3);
        Assert.Equal((224, 224, 1.0), (preprocessing.Width, preprocessing.Height, preprocessing.Factor));
        Assert.Equal([123.15163f, 115.90288f, 103.06262f], preprocessing.Means);
        Assert.Contains("license: mit", File.ReadAllText(Path.Combine(folder, "README.md")), StringComparison.Ordinal);
        Assert.Contains("The MIT License", File.ReadAllText(Path.Combine(folder, "LICENSE")), StringComparison.Ordinal);
        Assert.Contains("Microsoft.ML.DnnImageFeaturizer.ResNet18", File.ReadAllText(Path.Combine(folder, "NOTICE")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(nameof(PublishedEncoder.MiniLM), 256, false, null)]
    [InlineData(nameof(PublishedEncoder.ArcticXs), 512, true, "Represent this sentence for searching relevant passages: ")]
    public void PackageSaysHowItIsUsed(string name, int maximumTokens, bool isFirstToken, string? query)
    {
        var folder = Encoder(name).ResolveFolder();

        Assert.Equal(VocabularyHash, Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Path.Combine(folder, "vocab.txt")))));
        Assert.Equal(30522, Json("config.json").GetProperty("vocab_size").GetInt32());
        Assert.Equal(maximumTokens, Json("tokenizer_config.json").GetProperty("model_max_length").GetInt32());
        Assert.Equal(maximumTokens, Json("sentence_bert_config.json").GetProperty("max_seq_length").GetInt32());
        Assert.Equal(isFirstToken, Json("1_Pooling/config.json").GetProperty("pooling_mode_cls_token").GetBoolean());
        Assert.Equal(!isFirstToken, Json("1_Pooling/config.json").GetProperty("pooling_mode_mean_tokens").GetBoolean());
        Assert.Equal(
            ["", "1_Pooling", "2_Normalize"],
            Json("modules.json").EnumerateArray().Select(module => module.GetProperty("path").GetString()));
        var prompts = Json("config_sentence_transformers.json").GetProperty("prompts");
        Assert.Equal(query, prompts.TryGetProperty("query", out var prompt) ? prompt.GetString() : null);
        Assert.Contains("license: apache-2.0", File.ReadAllText(Path.Combine(folder, "README.md")), StringComparison.Ordinal);
        Assert.Contains("Apache License", File.ReadAllText(Path.Combine(folder, "LICENSE")), StringComparison.Ordinal);
        Assert.Contains("Curiosity GmbH", File.ReadAllText(Path.Combine(folder, "NOTICE")), StringComparison.Ordinal);

        JsonElement Json(string file) => JsonElement.Parse(File.ReadAllBytes(Path.Combine(folder, file)));
    }

    [Fact]
    public void PackagedEncoderIsFoundInTheFirstPlaceThatHasIt()
    {
        var expected = Path.GetDirectoryName(_folder.Write("b/encoders/all-MiniLM-L6-v2/config.json", "{}"));

        Assert.Equal(expected, PublishedEncoder.MiniLM.FindPackaged([_folder["a"], null, "", _folder["b"]]));
    }

    [Fact]
    public void MissingPackageIsNamedWithTheCommandThatAddsIt()
    {
        var error = Assert.Throws<DirectoryNotFoundException>(
            () => PublishedEncoder.ArcticXs.FindPackaged([_folder["a"], _folder["a"], _folder["b"]]));

        Assert.EndsWith("dotnet add package MlNetMoe.ArcticXs", error.Message, StringComparison.Ordinal);
        var first = Path.Combine(_folder["a"], "encoders", "snowflake-arctic-embed-xs");
        Assert.Contains($"no folder {first} nor {_folder["b"]}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void FolderIsAnyWithAConfiguration()
    {
        _folder.Write("model/config.json", "{}");
        Directory.CreateDirectory(_folder["empty"]);

        Assert.Equal(_folder["model"], PublishedEncoder.FromFolder(Path.Combine(_folder["empty"], "..", "model")).ResolveFolder());
        Assert.Contains(
            "no config.json",
            Assert.Throws<FileNotFoundException>(() => PublishedEncoder.FromFolder(_folder["empty"]).ResolveFolder()).Message,
            StringComparison.Ordinal);
        Assert.Throws<DirectoryNotFoundException>(() => PublishedEncoder.FromFolder(_folder["none"]).ResolveFolder());
        Assert.Throws<ArgumentException>(() => PublishedEncoder.FromFolder(""));
    }

    [Fact]
    public void EncodersAreEqualByWhatTheyName()
    {
        Assert.Equal(PublishedEncoder.FromFolder("x"), PublishedEncoder.FromFolder("x"));
        Assert.NotEqual(PublishedEncoder.FromFolder("all-MiniLM-L6-v2"), PublishedEncoder.MiniLM);
        Assert.Equal("all-MiniLM-L6-v2", PublishedEncoder.MiniLM.ToString());
    }

    private static PublishedEncoder Encoder(string name) =>
        name == nameof(PublishedEncoder.MiniLM) ? PublishedEncoder.MiniLM : PublishedEncoder.ArcticXs;
}
