using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;

namespace Microsoft.ML.Moe.Tests.Models.Published;

/// <summary>Folders of published encoders, and what is wrong with them.</summary>
public sealed class PublishedFolderTests : IDisposable
{
    private readonly ManagedEngine _engine = new(1);
    private readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _engine.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void AllThatIsWrongWithTheWeightsIsListedTogether()
    {
        var folder = TinyPublished.Write(_folder.Path, TinyPublished.Bert, tensors =>
        {
            tensors.Remove("encoder.layer.1.attention.self.key.bias");
            tensors.Remove("embeddings.LayerNorm.weight");
            tensors["encoder.layer.0.output.dense.weight"] = new NamedValues("encoder.layer.0.output.dense.weight", [3, 3], new float[9]);
            tensors.Add("adapter.down.weight", new NamedValues("adapter.down.weight", [1], [0]));
        });

        var error = Assert.Throws<InvalidDataException>(() => Load(folder));

        Assert.All(
            (string[])
            [
                _folder.Path, "BERT", "encoder.layer.1.attention.self.key.bias", "embeddings.LayerNorm.weight",
                "encoder.layer.0.output.dense.weight [3, 3]", "1 unexpected (adapter.down.weight)",
            ],
            part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void HeadsAndBuffersThatNobodyAskedForAreIgnored()
    {
        var folder = TinyPublished.Write(_folder.Path, TinyPublished.Bert, tensors =>
        {
            foreach (var name in (string[])["embeddings.position_ids", "pooler.dense.weight", "cls.predictions.bias", "classifier.weight"])
                tensors.Add(name, new NamedValues(name, [1], [0]));
        });

        Assert.Equal(16, Load(folder).Outputs);
    }

    [Fact]
    public void APublishedHeadMustBeThere()
    {
        var folder = TinyPublished.Write(_folder.Path, TinyPublished.Bert);

        var error = Assert.Throws<InvalidDataException>(() => Load(folder, PublishedClassesHeadConfig.Of(folder)));

        Assert.Contains("4 missing (pooler.dense.weight, pooler.dense.bias, classifier.weight", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model_type", "bart", "model_type 'bart' is none of the models that are known here: bert, ")]
    [InlineData("model_type", null, "model_type ''")]
    [InlineData("position_embedding_type", "relative_key", "position_embedding_type 'relative_key'")]
    [InlineData("hidden_act", "quick_gelu", "hidden_act 'quick_gelu'")]
    [InlineData("is_decoder", true, "decoder")]
    [InlineData("hidden_size", 12.5, "hidden_size is not a whole number")]
    [InlineData("hidden_size", 15, "Width (15) is not divisible by Heads (2)")]
    [InlineData("num_hidden_layers", 1_000_000, "Layers")]
    [InlineData("vocab_size", 2_000_000_000, "VocabularySize")]
    [InlineData("layer_norm_eps", "small", "layer_norm_eps is not a number")]
    [InlineData("quantization_config", new string[0], "quantised")]
    public void AConfigurationThatCannotBeUsedIsRefused(string name, object? value, string message)
    {
        var error = Assert.Throws<InvalidDataException>(() =>
            TinyPublished.Write(_folder.Path, TinyPublished.Bert.With((name, value))));

        Assert.Contains(_folder["config.json"], error.Message, StringComparison.Ordinal);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("prenorm", true, "prenorm")]
    [InlineData("num_shared_experts", 1, "num_shared_experts")]
    [InlineData("activation_function", "relu", "activation_function 'relu'")]
    public void ANomicConfigurationThatCannotBeUsedIsRefused(string name, object value, string message)
    {
        var error = Assert.Throws<InvalidDataException>(() =>
            TinyPublished.Write(_folder.Path, TinyPublished.NomicMixture.With((name, value))));

        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AMixtureIsNeverReadWithoutItsExperts()
    {
        // transformers' own class has no experts, and would leave these out without a word
        TinyPublished.Write(_folder.Path, TinyPublished.NomicMixture);
        _folder.Write("config.json", """
            {
              "model_type": "nomic_bert", "vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2,
              "intermediate_size": 12, "type_vocab_size": 1
            }
            """);

        var error = Assert.Throws<InvalidDataException>(() => Load(PublishedFolder.Open(_folder.Path)));

        Assert.Contains("encoder.layers.1.mlp.experts.bias", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void DamagedConfigurationsAreRefused()
    {
        Assert.Contains("config.json", Assert.Throws<FileNotFoundException>(Open).Message, StringComparison.Ordinal);
        _folder.Write("config.json", "{");
        Assert.Contains("is not JSON", Assert.Throws<InvalidDataException>(Open).Message, StringComparison.Ordinal);
        _folder.Write("config.json", "[]");
        Assert.Contains("is not a JSON object", Assert.Throws<InvalidDataException>(Open).Message, StringComparison.Ordinal);
        _folder.Write("config.json", new string(' ', (1 << 22) + 1));
        Assert.Contains("4194305 bytes", Assert.Throws<InvalidDataException>(Open).Message, StringComparison.Ordinal);

        void Open() => PublishedFolder.Open(_folder.Path);
    }

    [Fact]
    public void PickledWeightsAloneAreRefusedWithTheConversion()
    {
        var folder = TinyPublished.Write(_folder.Path, TinyPublished.Bert);
        File.Move(_folder["model.safetensors"], _folder["pytorch_model.bin"]);

        var error = Assert.Throws<InvalidDataException>(() => Load(folder));

        Assert.Contains("python -c", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnIndexThatNamesAMissingShardIsRefused()
    {
        var folder = TinyPublished.Write(_folder.Path, TinyPublished.Bert);
        File.Delete(_folder["model.safetensors"]);
        _folder.Write("model.safetensors.index.json", """{"weight_map": {"embeddings.LayerNorm.weight": "model-00001-of-00001.safetensors"}}""");

        var error = Assert.Throws<InvalidDataException>(() => Load(folder));

        Assert.Contains("model-00001-of-00001.safetensors, which is missing", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ATruncatedFileIsRefused()
    {
        var folder = TinyPublished.Write(_folder.Path, TinyPublished.Bert);
        using (var stream = File.OpenWrite(_folder["model.safetensors"]))
            stream.SetLength(stream.Length - 4);

        var error = Assert.Throws<InvalidDataException>(() => Load(folder));

        Assert.Contains("model.safetensors", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AHubNameIsLookedForInTheCache()
    {
        var model = Path.Combine(_folder.Path, "models--org--tiny.model-1");
        foreach (var commit in (string[])["aaa", "bbb"])
            Directory.CreateDirectory(Path.Combine(model, "snapshots", commit));
        Assert.Null(HubCache.Find("org/tiny.model-1", _folder.Path));

        _folder.Write(Path.Combine("models--org--tiny.model-1", "refs", "main"), "bbb\n");
        Assert.Equal(Path.Combine(model, "snapshots", "bbb"), HubCache.Find("org/tiny.model-1", _folder.Path));

        _folder.Write(Path.Combine("models--org--tiny.model-1", "refs", "main"), "../../..");
        Assert.Null(HubCache.Find("org/tiny.model-1", _folder.Path));
        Directory.Delete(Path.Combine(model, "snapshots", "aaa"));
        Assert.Equal(Path.Combine(model, "snapshots", "bbb"), HubCache.Find("org/tiny.model-1", _folder.Path));
        Assert.Null(HubCache.Find("org/other", _folder.Path));
    }

    [Theory]
    [InlineData("..")]
    [InlineData("org/..")]
    [InlineData("a/b/c")]
    [InlineData("/etc")]
    [InlineData("org/a b")]
    [InlineData("")]
    public void APathIsNoHubName(string text) => Assert.False(HubCache.IsName(text));

    [Fact]
    public void AModelThatIsNowhereSaysWhatToFetch()
    {
        var error = Assert.Throws<FileNotFoundException>(() => PublishedFolder.Open("no-such-org-here/no-such-model"));

        Assert.All(
            (string[])["model.safetensors", "tokenizer.json", "https://huggingface.co/no-such-org-here/no-such-model", HubCache.Folder],
            part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
    }

    private Moe.Models.Model<EncodedText> Load(PublishedFolder folder, HeadConfig? head = null) =>
        folder.Load(_engine, new PublishedTextInput(PublishedTextInputConfig.Of(folder.Encoder), new LetterIds()), head ?? new VectorHeadConfig());
}
