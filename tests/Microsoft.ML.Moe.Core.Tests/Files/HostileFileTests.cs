using System.Text;
using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using Microsoft.ML.Moe.Tokenizers;

namespace Microsoft.ML.Moe.Tests.Files;

/// <summary>What fuzzing has found: files of a few lines that cost gigabytes, or ended in an exception that nothing documents.</summary>
public sealed class HostileFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("\\ud800")]
    [InlineData("\xF3")]
    public void ATextThatIsNoneIsRefusedByName(string text)
    {
        File.WriteAllBytes(_folder["config.json"], Encoding.Latin1.GetBytes($$"""{ "model_type": "{{text}}" }"""));

        var error = Assert.Throws<InvalidDataException>(() => PublishedFolder.Open(_folder.Path));

        Assert.Contains("model_type is not a text", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void NumbersWhoseProductIsTooLargeAreRefused()
    {
        var config = TinyCausalFamilies.Config(
            "jetmoe", ("num_key_value_heads", int.MaxValue), ("moe_top_k", int.MaxValue), ("num_experts_per_tok", int.MaxValue));
        _folder.Write("config.json", config);

        Assert.Throws<InvalidDataException>(() => PublishedFolder.Open(_folder.Path));
    }

    [Fact]
    public void ModelsThatClaimMoreThanTheirWeightsTakeNoMemoryForIt()
    {
        // a gigabyte of token table is claimed, of which there are two kilobytes
        TinyCausal.Write(_folder.Path, TinyCausal.Llama);
        _folder.Write("config.json", TinyCausal.Llama.With(("vocab_size", 1 << 24)));
        using var engine = new ManagedEngine(1);
        var before = GC.GetAllocatedBytesForCurrentThread();

        Assert.Throws<InvalidDataException>(() => TextGenerator.Load(engine, _folder.Path, WeightPrecision.Float32, "model"));

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 << 20);
    }

    [Fact]
    public void ATokenizerWithoutRoomForTextIsRefused()
    {
        TinyCausal.Write(_folder.Path, TinyCausal.Switch);
        _folder.Write("config.json", TinyCausal.Llama.With(("max_position_embeddings", 1)));
        using var engine = new ManagedEngine(1);

        Assert.Throws<InvalidDataException>(() => TextGenerator.Load(engine, _folder.Path, WeightPrecision.Float32, "model"));
    }

    [Fact]
    public void AConfigurationWithoutKindsIsRefused()
    {
        var config = """{ "version": 3, "modelType": "moe", "input": {}, "encoder": {}, "head": {} }"""u8.ToArray();

        Assert.Throws<InvalidDataException>(() => ModelConfig.Read(new MemoryStream(config)));
    }

    [Theory]
    [InlineData("pre_tokenizer", "pretokenizers", """{ "type": "ByteLevel", "add_prefix_space": false, "use_regex": false }""", 24)]
    [InlineData("normalizer", "normalizers", """{ "type": "Replace", "pattern": { "String": "e" }, "content": "ee" }""", 24)]
    [InlineData("normalizer", "normalizers", """
        { "type": "Sequence", "normalizers": [{ "type": "Replace", "pattern": { "String": "e" }, "content": "eeee" }] }
        """, 12)]
    public void PartsThatDoubleATextTimeAndAgainAreRefused(string part, string parts, string one, int times)
    {
        var tokenizer = Load(part, parts, one, times);

        var error = Assert.Throws<InvalidDataException>(() => tokenizer.Encode("é\u00e9e"));

        Assert.Contains("no text is to go through", error.Message, StringComparison.Ordinal);
        _ = Load(part, parts, one, times: 2).Encode("é\u00e9e");
    }

    [Fact]
    public void ADecoderThatDoublesATextTimeAndAgainIsRefused()
    {
        var tokenizer = Load("decoder", "decoders", """{ "type": "Replace", "pattern": { "String": "e" }, "content": "ee" }""", times: 24);

        Assert.Throws<InvalidDataException>(() => tokenizer.Decode([0, 0]));
    }

    [Fact]
    public void AReplacementIsNoBook()
    {
        var book = new string('x', 257);

        var prepend = $$"""{ "type": "Prepend", "prepend": "{{book}}" }""";
        Assert.Throws<InvalidDataException>(() => Load("normalizer", "normalizers", prepend, times: 1));
    }

    [Fact]
    public void ALongPatternTakesLittle()
    {
        var before = GC.GetAllocatedBytesForCurrentThread();

        var pattern = string.Concat(Enumerable.Range(0, 5000).Select(i => (char)('a' + i % 26)));
        Load("normalizer", "normalizers", $$$"""{ "type": "Replace", "pattern": { "Regex": "{{{pattern}}}" }, "content": " " }""", times: 1)
            .EncodeIds(pattern.AsSpan(0, 100));

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16 << 20);
    }

    private static HuggingFaceTokenizer Load(string part, string parts, string one, int times)
    {
        var json = $$$$"""
            {
              "{{{{part}}}}": { "type": "Sequence", "{{{{parts}}}}": [{{{{string.Join(", ", Enumerable.Repeat(one, times))}}}}] },
              "model": { "type": "BPE", "unk_token": "e", "vocab": { "e": 0 }, "merges": [] }
            }
            """;
        return HuggingFaceTokenizer.Load(new MemoryStream(Encoding.UTF8.GetBytes(json)));
    }
}
