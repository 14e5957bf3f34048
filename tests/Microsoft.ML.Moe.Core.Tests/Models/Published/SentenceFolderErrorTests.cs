using System.Text.Json.Nodes;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models.Embeddings;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

public sealed class SentenceFolderErrorTests : IDisposable
{
    private const string Transformer = """{ "idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer" }""";
    private const string Pooling = """{ "idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling" }""";
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("{}", "is not a list")]
    [InlineData("[]", "1 to 16 modules")]
    [InlineData("[", "is not JSON")]
    [InlineData("[" + Transformer + "]", "no Pooling")]
    [InlineData("[" + Pooling + "]", "a Transformer comes first")]
    [InlineData("[" + Transformer + "," + Pooling + """, { "type": "a.b.LSTM", "path": "x" }]""", "a.b.LSTM")]
    [InlineData("[" + Transformer + "," + Pooling + """, { "type": "a.b.Dense", "path": "../x" }]""", "leads out of the folder")]
    [InlineData("[" + Transformer + "," + Pooling + """, { "type": "a.b.Dense", "path": "/x" }]""", "leads out of the folder")]
    public void ModulesThatCannotBeUsedAreNamed(string modules, string named)
    {
        _folder.Write("modules.json", modules);
        _folder.Write(Path.Combine("1_Pooling", "config.json"), "{}");
        Assert.Contains(named, Assert.Throws<InvalidDataException>(() => SentenceFolder.Open(_folder.Path)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{ "pooling_mode": "median" }""", "'median'")]
    [InlineData("""{ "pooling_mode": [] }""", "empty")]
    [InlineData("""{ "pooling_mode_cls_token": 1 }""", "true or false")]
    public void PoolingThatIsNotKnownIsNamed(string pooling, string named)
    {
        _folder.Write("modules.json", $"[{Transformer},{Pooling}]");
        _folder.Write(Path.Combine("1_Pooling", "config.json"), pooling);
        Assert.Contains(named, Assert.Throws<InvalidDataException>(() => SentenceFolder.Open(_folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void PromptsOfQueriesAndDocumentsAreAlwaysThere()
    {
        _folder.Write("config_sentence_transformers.json", """{ "prompts": { "sea": "about the sea: " }, "default_prompt_name": "sea" }""");
        var folder = SentenceFolder.Open(_folder.Path);
        Assert.Equal("about the sea: ", folder.PromptOf(null));
        Assert.Equal("", folder.PromptOf("query"));
        Assert.Contains("'sea'", Assert.Throws<ArgumentException>(() => folder.PromptOf("land")).Message, StringComparison.Ordinal);
        _folder.Write("config_sentence_transformers.json", """{ "default_prompt_name": "sea" }""");
        Assert.Throws<InvalidDataException>(() => SentenceFolder.Open(_folder.Path));
    }

    /// <summary>A template for one text may have more special tokens than one for two.</summary>
    [Theory]
    [InlineData(11, true)]
    [InlineData(12, false)]
    [InlineData(40, false)]
    public void SpecialTokensLeaveRoomForText(int specialTokens, bool isRoom)
    {
        TinyPublished.Write(_folder.Path, TinyPublished.Bert);
        TinyPublished.WriteTokenizer(_folder.Path);
        _folder.Write("sentence_bert_config.json", """{ "max_seq_length": 12 }""");
        var tokenizer = Path.Combine(_folder.Path, "tokenizer.json");
        var json = JsonNode.Parse(File.ReadAllText(tokenizer))!;
        var single = json["post_processor"]!["single"]!.AsArray();
        while (single.Count - 1 < specialTokens)
            single.Add(single[0]!.DeepClone());
        File.WriteAllText(tokenizer, json.ToJsonString());
        using var engine = new ManagedEngine(1);
        if (isRoom)
        {
            Assert.Equal(12, TextEmbedder.Load(engine, _folder.Path).Encode("abc").Length);
            return;
        }

        var refused = Assert.Throws<InvalidDataException>(() => { _ = TextEmbedder.Load(engine, _folder.Path); });
        Assert.Contains(_folder.Path, refused.Message, StringComparison.Ordinal);
        Assert.Contains("12 tokens", refused.Message, StringComparison.Ordinal);
        var encoder = PublishedEncoder.FromFolder(_folder.Path);
        var source = PublishedEncoderSource.Open(encoder);
        Assert.Throws<InvalidDataException>(() => { _ = source.CreateInput(null, LinearInput.None); });
    }
}
