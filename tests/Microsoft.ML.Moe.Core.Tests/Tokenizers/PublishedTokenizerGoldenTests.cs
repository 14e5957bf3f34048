using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.ML.Moe.Tokenizers;

namespace Microsoft.ML.Moe.Tests.Tokenizers;

/// <summary>
/// Published tokenizers (real-*.json), whose large files are not among the goldens: looked for beside them and among the shared data, as a
/// tokenizer.json with the hash that the golden file gives, or the BERT vocabulary where it says that it is that.
/// </summary>
[Trait("Category", "Goldens")]
public class PublishedTokenizerGoldenTests
{
    private const string None = "none";

    public static TheoryData<string> Files() => [.. All().DefaultIfEmpty(None)];

    [SkippableTheory]
    [MemberData(nameof(Files))]
    public void Published_tokenizers_give_the_same(string name)
    {
        Skip.If(name == None, "There is no golden file of a published tokenizer.");
        var expected = TokenizerGolden.Read(Path.Combine(Goldens.Root!, "tokenizers", name));
        var tokenizer = Find(name, expected);
        Skip.If(tokenizer is null, $"The tokenizer is not here: {expected.GetProperty("source").GetString()}");
        var differences = new Differences();
        var texts = expected.GetProperty("texts").Texts();
        for (var i = 0; i < texts.Length; i++)
        {
            var encoding = tokenizer.Encode(texts[i]);
            differences.Sequence($"{i} '{texts[i]}' ids", expected.GetProperty("ids")[i].Ints(), encoding.Ids);
            differences.Sequence(
                $"{i} '{texts[i]}' offsets", expected.GetProperty("offsets")[i].Pairs(), TokenizerGolden.CodePointOffsets(encoding,
                    texts[i]));
            differences.Text($"{i} decoded", expected.GetProperty("decoded")[i].GetString(), tokenizer.Decode(encoding.Ids, true));
        }

        if (tokenizer.Padding is not null && expected.Optional("with_the_file's_truncation_and_padding") is { } own)
            foreach (var (text, i) in own.GetProperty("texts").Texts().Select((text, i) => (text, i)))
            {
                var encoding = tokenizer.Encode(text, truncation: tokenizer.Truncation);
                tokenizer.Padding.Apply(encoding);
                differences.Sequence($"own {i}", own.GetProperty("ids")[i].Ints(), encoding.Ids);
            }

        differences.AssertNone();
    }

    private static IEnumerable<string> All()
    {
        var root = Goldens.Root is null ? null : Path.Combine(Goldens.Root, "tokenizers");
        return root is null || !Directory.Exists(root) ? [] : Directory.GetFiles(root, "real-*.json").Select(f =>
            Path.GetFileName(f)).Order();
    }

    private static HuggingFaceTokenizer? Find(string name, JsonElement expected)
    {
        string?[] folders = [Path.Combine(Goldens.Root!, "tokenizers"), SharedFolder.Find("data/tokenizers")];
        var hash = expected.GetProperty("sha256").GetString();
        foreach (var folder in folders.OfType<string>())
            foreach (var file in Directory.GetFiles(folder, "*.json").Where(f => new FileInfo(f).Length > 100_000))
                if (Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file))) == hash)
                    return HuggingFaceTokenizer.Load(file);
        if (!expected.GetProperty("source").GetString()!.Contains("BERT uncased vocabulary", StringComparison.Ordinal))
            return null;
        return SharedFolder.Find("data/tokenizers/bert-base-uncased.vocab.txt") is { } vocabulary
            ? HuggingFaceTokenizer.Load(vocabulary) : null;
    }
}
