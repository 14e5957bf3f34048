using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.ML.Moe.Tokenizers;

namespace Microsoft.ML.Moe.Tests.Tokenizers;

/// <summary>
/// The older files of the golden folders without their tokenizer.json, against what tokenizer.json gives. The class is the published one
/// that
/// the golden file names.
/// </summary>
[Trait("Category", "Goldens")]
public class OlderFilesGoldenTests
{
    private const string None = "none";
    private static readonly string[] OlderNames = ["vocab.txt", "vocab.json", "spiece.model", "tokenizer.model", "sentencepiece.bpe.model"];

    public static TheoryData<string> Folders() => [.. All().DefaultIfEmpty(None)];

    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void Older_files_give_the_same_ids(string name)
    {
        Skip.If(name == None, "There is no folder of golden tokenizers with older files.");
        var folder = Path.Combine(Goldens.Root!, "tokenizers", name);
        var expected = TokenizerGolden.Read(Path.Combine(folder, "expected.json"));
        var files = Directory.GetFiles(folder)
            .Where(f => Path.GetFileName(f) is not "tokenizer.json" && !Path.GetFileName(f).StartsWith("expected",
                StringComparison.Ordinal))
            .ToDictionary(f => Path.GetFileName(f), File.ReadAllBytes);
        if (!IsList(expected))
        {
            var published = expected.Optional("as_published_class")?.Optional("transformers 4.57.6")?[0];
            Skip.If(published is null, "The golden file names no published class.");
            var fast = JsonNode.Parse(File.ReadAllBytes(Path.Combine(folder, "tokenizer.json")))!;
            Skip.If(
                published.Value.GetProperty("tokenizer_class").GetString() == "GPT2Tokenizer"
                    && (fast["normalizer"] is not null || fast["pre_tokenizer"]!["type"]!.GetValue<string>() != "ByteLevel"),
                "The tokenizer.json normalizes or splits in a way that the older files cannot tell.");
            files["tokenizer_config.json"] = Configuration(files["tokenizer_config.json"], published.Value,
                fast["added_tokens"]!.AsArray());
        }

        HuggingFaceTokenizer tokenizer;
        try
        {
            tokenizer = HuggingFaceTokenizer.Load(files);
        }
        catch (InvalidDataException e) when (e.Message.Contains("is not supported without a tokenizer.json", StringComparison.Ordinal))
        {
            Skip.If(true, e.Message);
            throw;
        }

        var differences = new Differences();
        if (IsList(expected))
            TokenizerGolden.CompareList(differences, expected, tokenizer);
        else
            CompareTexts(differences, expected, tokenizer, HuggingFaceTokenizer.Load(folder));
        differences.AssertNone();
    }

    private static void CompareTexts(Differences differences, JsonElement expected, HuggingFaceTokenizer tokenizer,
        HuggingFaceTokenizer fast)
    {
        var texts = expected.GetProperty("texts").Texts();
        for (var i = 0; i < texts.Length; i++)
            differences.Sequence($"{i} '{texts[i]}'", expected.GetProperty("ids_no_special")[i].Ints(), tokenizer.EncodeIds(texts[i]));
        foreach (var item in expected.GetProperty("pairs").EnumerateArray())
        {
            var (a, b) = (item.GetProperty("a").GetString()!, item.GetProperty("b").GetString()!);
            differences.Sequence($"pair {item}", fast.EncodeIds(a).Concat(fast.EncodeIds(b)), tokenizer.Encode(a, b,
                addSpecialTokens: false).Ids);
        }
    }

    /// <summary>The configuration with the published class, and with the added tokens as published ones list them.</summary>
    private static byte[] Configuration(byte[] config, JsonElement published, JsonArray addedTokens)
    {
        var json = JsonNode.Parse(config)!.AsObject();
        json["tokenizer_class"] = published.GetProperty("tokenizer_class").GetString();
        foreach (var extra in published.GetProperty("extra").EnumerateObject())
            json[extra.Name] = JsonNode.Parse(extra.Value.GetRawText());
        var decoder = new JsonObject();
        foreach (var token in addedTokens.Select(t => t!.DeepClone().AsObject()))
        {
            var id = token["id"]!.GetValue<int>();
            token.Remove("id");
            decoder[$"{id}"] = token;
        }

        json["added_tokens_decoder"] = decoder;
        return JsonSerializer.SerializeToUtf8Bytes(json);
    }

    private static bool IsList(JsonElement expected) =>
        expected.GetProperty("texts").EnumerateArray().FirstOrDefault().ValueKind == JsonValueKind.Object;

    private static IEnumerable<string> All()
    {
        var root = Goldens.Root is null ? null : Path.Combine(Goldens.Root, "tokenizers");
        if (root is null || !Directory.Exists(root))
            return [];
        return Directory.GetFiles(root, "expected.json", SearchOption.AllDirectories)
            .Select(f => Path.GetDirectoryName(f)!)
            .Where(folder => OlderNames.Any(name => File.Exists(Path.Combine(folder, name))))
            .Select(folder => Path.GetRelativePath(root, folder))
            .Order();
    }
}
