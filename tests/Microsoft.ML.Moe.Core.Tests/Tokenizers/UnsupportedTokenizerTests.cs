using System.Text;
using Microsoft.ML.Moe.Tokenizers;

namespace Microsoft.ML.Moe.Tests.Tokenizers;

/// <summary>Files that are damaged, hostile, or have parts that are not supported.</summary>
public class UnsupportedTokenizerTests
{
    private const string Model = """{"type": "WordLevel", "unk_token": "u", "vocab": {"u": 0, "a": 1}}""";

    [Theory]
    [InlineData("""{"normalizer": {"type": "Magic"}, "model": M}""", "tokenizer.json: normalizer", "Magic")]
    [InlineData("""{"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Magic"}]}, "model": M}""", "normalizers[1]", "Magic")]
    [InlineData("""{"pre_tokenizer": {"type": "Magic"}, "model": M}""", "tokenizer.json: pre_tokenizer", "Magic")]
    [InlineData("""{"post_processor": {"type": "Magic"}, "model": M}""", "tokenizer.json: post_processor", "Magic")]
    [InlineData("""{"decoder": {"type": "Magic"}, "model": M}""", "tokenizer.json: decoder", "Magic")]
    [InlineData("""{"model": {"type": "Magic"}}""", "tokenizer.json: model", "Magic")]
    [InlineData("""{"version": "2.0", "model": M}""", "version", "2.0")]
    [InlineData("""{}""", "tokenizer.json: model", "missing")]
    [InlineData("""{"model": {"type": "BPE", "dropout": 0.1, "vocab": {}, "merges": []}}""", "dropout", "not supported")]
    [InlineData("""{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}}""", "merge 0", "'b'")]
    [InlineData("""{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b c"]}}""", "merges[0]", "two tokens")]
    [InlineData("""{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a"]]}}""", "merges[0]", "1 parts")]
    [InlineData("""{"model": {"type": "WordLevel", "unk_token": "u", "vocab": {"u": 9999999}}}""", "vocab", "not an integer within")]
    [InlineData("""{"model": {"type": "WordLevel", "unk_token": "u", "vocab": {"u": -1}}}""", "vocab", "not an integer within")]
    [InlineData("""{"model": {"type": "Unigram", "unk_id": 5, "vocab": [["a", 0]]}}""", "unk_id", "not an integer within")]
    [InlineData("""{"model": {"type": "Unigram", "unk_id": 0, "vocab": [["a", "b"]]}}""", "vocab[0]", "not a number")]
    [InlineData("""{"normalizer": {"type": "Precompiled", "precompiled_charsmap": "!!"}, "model": M}""", "precompiled_charsmap", "Base64")]
    [InlineData("""{"normalizer": {"type": "Precompiled", "precompiled_charsmap": "//////8="}, "model": M}""", "Precompiled", "claims")]
    [InlineData("""{"pre_tokenizer": {"type": "Metaspace", "replacement": "_", "add_prefix_space": false}, "model": M}""", "add_prefix_space", "never")]
    [InlineData("""{"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a"}, "behavior": "Isolated"}, "model": M}""", "pattern", "lacks a ')'")]
    [InlineData("""{"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a)\\1"}, "behavior": "Isolated"}, "model": M}""", "pattern", "\\1")]
    [InlineData("""{"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(?<=a*)b"}, "behavior": "Isolated"}, "model": M}""", "pattern", "behind")]
    [InlineData("""{"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\p{Klingon}"}, "behavior": "Isolated"}, "model": M}""", "pattern", "Klingon")]
    [InlineData("""{"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "((a{1000}){1000}){1000}"}, "behavior": "Isolated"}, "model": M}""", "pattern", "steps")]
    [InlineData("""{"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Odd"}, "model": M}""", "behavior", "Odd")]
    [InlineData("""{"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "X", "type_id": 0}}], "pair": [], "special_tokens": {}}, "model": M}""", "special_tokens", "X")]
    [InlineData("""{"truncation": {"max_length": -1, "stride": 0, "strategy": "LongestFirst"}, "model": M}""", "max_length", "not an integer within")]
    [InlineData("""{"model": """, "tokenizer.json", "not valid JSON")]
    [InlineData("""[1]""", "tokenizer.json", "not a JSON object")]
    [InlineData("""{"added_tokens": [{"id": 1, "content": "\ud800"}], "model": M}""", "added_tokens[0]", "surrogate")]
    public void Errors_name_file_and_part(string json, string where, string what)
    {
        var error = Assert.Throws<InvalidDataException>(() => Load(json.Replace("M}", Model + "}", StringComparison.Ordinal)));

        Assert.Contains(where, error.Message, StringComparison.Ordinal);
        Assert.Contains(what, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"Sequence": {"id": "A", "type_id": 0}}""", 17, "repeats its texts 17 times")]
    [InlineData("""{"SpecialToken": {"id": "X", "type_id": 0}}""", 513, "1026 special tokens")]
    public void Templates_do_not_multiply_a_text(string part, int times, string message)
    {
        string Template(int number) => $$$"""
            {"post_processor": {"type": "TemplateProcessing", "single": [{{{string.Join(", ", Enumerable.Repeat(part, number))}}}], "pair": [
                {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
             "special_tokens": {"X": {"id": "X", "ids": [0, 0], "tokens": ["u", "u"]} } }, "model": {{{Model}}} }
            """;
        Load(Template(times - 1));
        var error = Assert.Throws<InvalidDataException>(() => Load(Template(times)));
        Assert.Contains("post_processor: single", error.Message, StringComparison.Ordinal);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[ a:]")]
    [InlineData("$B")]
    [InlineData(":")]
    [InlineData("a")]
    public void Special_tokens_of_older_files_may_be_any_text(string token)
    {
        var files = new Dictionary<string, byte[]>
        {
            ["vocab.txt"] = Encoding.UTF8.GetBytes("[PAD]\n[UNK]\n[CLS]\na\n[ a:]\n$B\n:\n"),
            ["tokenizer_config.json"] = Encoding.UTF8.GetBytes($$"""{"tokenizer_class": "BertTokenizer", "sep_token": "{{token}}"}"""),
        };

        var ids = HuggingFaceTokenizer.Load(files).Encode("b", "b").Ids;

        var own = Encoding.UTF8.GetString(files["vocab.txt"]).Split('\n').IndexOf(token);
        Assert.Equal([2, 1, own, 1, own], ids);
        files["vocab.txt"] = "[PAD]\n[UNK]\n[CLS]\n"u8.ToArray();
        var error = Assert.Throws<InvalidDataException>(() => HuggingFaceTokenizer.Load(files));
        Assert.Contains($"vocab.txt lacks the special token '{token}'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Nesting_is_bounded()
    {
        var depth = string.Concat(Enumerable.Repeat("""{"type": "Sequence", "normalizers": [""", 100));

        Assert.Throws<InvalidDataException>(() => Load($$"""{"normalizer": {{depth}}"""));
        Assert.Throws<InvalidDataException>(() => Load(
            $$"""{"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "{{new string('(', 5000)}}"}, "behavior": "Isolated"}, "model": {{Model}}}"""));
    }

    [Fact]
    public void A_search_that_goes_back_without_end_is_stopped()
    {
        var tokenizer = Load(
            $$"""{"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a|a)*b"}, "behavior": "Isolated"}, "model": {{Model}}}""");

        Assert.Throws<InvalidOperationException>(() => tokenizer.EncodeIds(new string('a', 60)));
    }

    [Fact]
    public void A_word_of_a_hundred_thousand_characters_is_merged_in_no_time()
    {
        var tokenizer = Load("""{"model": {"type": "BPE", "vocab": {"a": 0, "aa": 1, "aaaa": 2}, "merges": ["a a", "aa aa"]}}""");

        Assert.Equal(25_000, tokenizer.EncodeIds(new string('a', 100_000)).Length);
    }

    [Theory]
    [InlineData(new byte[] { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF })]
    [InlineData(new byte[] { 0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x07 })]
    [InlineData(new byte[] { 0x0A, 0x05, 0x0A, 0x09, 0x61 })]
    [InlineData(new byte[] { 0x0B })]
    [InlineData(new byte[] { })]
    public void Damaged_SentencePiece_models_are_refused(byte[] model)
    {
        var error = Assert.Throws<InvalidDataException>(() => HuggingFaceTokenizer.Load(new Dictionary<string,
            byte[]> { ["spiece.model"] = model }));

        Assert.Contains("spiece.model", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Missing_files_are_named()
    {
        using var folder = new TemporaryFolder();

        Assert.Contains("tokenizer.json", Assert.Throws<FileNotFoundException>(() => HuggingFaceTokenizer.Load(folder.Path)).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "merges.txt",
            Assert.Throws<InvalidDataException>(() => HuggingFaceTokenizer.Load(new Dictionary<string,
                byte[]> { ["vocab.json"] = "{}"u8.ToArray() })).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "CLIPTokenizer",
            Assert.Throws<InvalidDataException>(() => HuggingFaceTokenizer.Load(new Dictionary<string, byte[]>
            {
                ["vocab.json"] = "{}"u8.ToArray(),
                ["merges.txt"] = [],
                ["tokenizer_config.json"] = """{"tokenizer_class": "CLIPTokenizer"}"""u8.ToArray(),
            })).Message,
            StringComparison.Ordinal);
    }

    private static HuggingFaceTokenizer Load(string json) => HuggingFaceTokenizer.Load(new MemoryStream(Encoding.UTF8.GetBytes(json)));
}
