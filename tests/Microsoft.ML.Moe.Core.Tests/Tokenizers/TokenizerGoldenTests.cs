using System.Text.Json;
using Microsoft.ML.Moe.Tokenizers;

namespace Microsoft.ML.Moe.Tests.Tokenizers;

/// <summary>Every folder with a tokenizer.json, against what the original library gives for it.</summary>
[Trait("Category", "Goldens")]
public class TokenizerGoldenTests
{
    private const string None = "none";

    public static TheoryData<string> Folders() => [.. TokenizerFolders("texts").DefaultIfEmpty(None)];

    public static TheoryData<string> ListFolders() => [.. TokenizerFolders("list").DefaultIfEmpty(None)];

    [SkippableTheory]
    [MemberData(nameof(Folders))]
    public void Everything_that_the_library_gives_is_the_same(string name)
    {
        Skip.If(name == None, "There is no folder of golden tokenizers.");
        var folder = Path.Combine(Goldens.Root!, "tokenizers", name);
        var expected = TokenizerGolden.Read(Path.Combine(folder, "expected.json"));
        var tokenizer = HuggingFaceTokenizer.Load(Path.Combine(folder, "tokenizer.json"));
        var differences = new Differences();
        differences.Sequence("vocab_size", [expected.GetProperty("vocab_size").GetInt32()], [tokenizer.DistinctTokens()]);
        CompareTexts(differences, expected, tokenizer);
        ComparePairs(differences, expected, tokenizer);
        CompareTruncation(differences, expected, tokenizer);
        ComparePadding(differences, expected, tokenizer);
        CompareParts(differences, expected, folder);
        foreach (var token in expected.GetProperty("token_to_id").EnumerateObject())
            differences.Sequence($"id of {token.Name}", [token.Value.GetInt32()], [tokenizer.TokenId(token.Name)]);
        if (expected.Optional("raw_file") is { } raw)
            foreach (var (item, i) in raw.GetProperty("items").EnumerateArray().Select((item, i) => (item, i)))
            {
                var text = expected.GetProperty("texts")[i].GetString()!;
                var encoding = tokenizer.Encode(text, truncation: tokenizer.Truncation);
                tokenizer.Padding?.Apply(encoding);
                TokenizerGolden.CompareItem(differences, $"raw {i}", item, encoding, text.All(c => !char.IsSurrogate(c)));
            }

        differences.AssertNone();
    }

    [SkippableTheory]
    [MemberData(nameof(ListFolders))]
    public void Lists_of_texts_give_the_fast_tokenizers_ids(string name)
    {
        Skip.If(name == None, "There is no folder of golden tokenizers.");
        var folder = Path.Combine(Goldens.Root!, "tokenizers", name);
        var expected = TokenizerGolden.Read(Path.Combine(folder, "expected.json"));
        var tokenizer = HuggingFaceTokenizer.Load(Path.Combine(folder, "tokenizer.json"));
        var differences = new Differences();
        TokenizerGolden.CompareList(differences, expected, tokenizer);
        foreach (var item in expected.Optional("truncation")?.EnumerateArray() ?? default)
            differences.Sequence(
                $"truncation {item}",
                item.GetProperty("fast").Ints(),
                tokenizer.Encode(item.GetProperty("text").GetString()!, truncation: new(item.GetProperty("max_length").GetInt32())).Ids);
        foreach (var item in expected.Optional("no_special")?.EnumerateArray() ?? default)
            differences.Sequence($"no special {item}", item.GetProperty("fast").Ints(),
                tokenizer.EncodeIds(item.GetProperty("text").GetString()));
        foreach (var token in expected.Optional("special")?.EnumerateObject() ?? default)
            differences.Sequence($"id of {token.Name}", [token.Value.GetInt32()], [tokenizer.TokenId(token.Name)]);
        if (expected.Optional("len_tokenizer") is { } length)
            differences.Sequence("len_tokenizer", [length.GetInt32()], [tokenizer.DistinctTokens()]);
        differences.AssertNone();
    }

    private static IEnumerable<string> TokenizerFolders(string kind)
    {
        var root = Goldens.Root is null ? null : Path.Combine(Goldens.Root, "tokenizers");
        if (root is null || !Directory.Exists(root))
            yield break;
        foreach (var file in Directory.GetFiles(root, "expected.json", SearchOption.AllDirectories).Order())
        {
            var folder = Path.GetDirectoryName(file)!;
            if (!File.Exists(Path.Combine(folder, "tokenizer.json")))
                continue;
            var isList = TokenizerGolden.Read(file).GetProperty("texts").EnumerateArray().FirstOrDefault().ValueKind == JsonValueKind.Object;
            if (isList == (kind == "list"))
                yield return Path.GetRelativePath(root, folder);
        }
    }

    private static void CompareTexts(Differences differences, JsonElement expected, HuggingFaceTokenizer tokenizer)
    {
        var texts = expected.GetProperty("texts").Texts();
        var types = expected.Optional("type_ids");
        for (var i = 0; i < texts.Length; i++)
        {
            var (index, text) = (i, texts[i]);
            differences.Try($"text {i}", () =>
            {
                var encoding = tokenizer.Encode(text, withTokens: true);
                differences.Sequence($"{index} ids", expected.GetProperty("ids")[index].Ints(), encoding.Ids);
                differences.Sequence($"{index} ids_no_special", expected.GetProperty("ids_no_special")[index].Ints(),
                    tokenizer.EncodeIds(text));
                differences.Sequence($"{index} tokens", expected.GetProperty("tokens")[index].Texts(), encoding.Tokens!);
                differences.Sequence(
                    $"{index} offsets of '{text}'",
                    expected.GetProperty("offsets")[index].Pairs(),
                    TokenizerGolden.CodePointOffsets(encoding, text));
                differences.Text(
                    $"{index} special_tokens_mask", expected.GetProperty("special_tokens_mask")[index].GetString(),
                        TokenizerGolden.Mask(encoding.IsSpecial));
                differences.Sequence(
                    $"{index} type_ids",
                    types is { } t && t.Optional($"{index}") is { } own ? own.Ints() : new int[encoding.Length],
                    encoding.TypeIds);
                differences.Text($"{index} decoded", expected.GetProperty("decoded")[index].GetString(), tokenizer.Decode(encoding.Ids,
                    true));
                differences.Text($"{index} decoded_keep", expected.GetProperty("decoded_keep")[index].GetString(),
                    tokenizer.Decode(encoding.Ids, false));
            });
        }
    }

    private static void ComparePairs(Differences differences, JsonElement expected, HuggingFaceTokenizer tokenizer)
    {
        foreach (var (item, i) in expected.GetProperty("pairs").EnumerateArray().Select((item, i) => (item, i)))
        {
            var (a, b) = (item.GetProperty("a").GetString()!, item.GetProperty("b").GetString()!);
            differences.Try($"pair {i}", () =>
                TokenizerGolden.CompareItem(differences, $"pair {i}", item, tokenizer.Encode(a, b), IsPlain(a + b)));
        }
    }

    private static void CompareTruncation(Differences differences, JsonElement expected, HuggingFaceTokenizer tokenizer)
    {
        foreach (var (item, i) in expected.GetProperty("truncation").EnumerateArray().Select((item, i) => (item, i)))
        {
            var (a, b) = (item.GetProperty("a").GetString()!, item.GetProperty("b").GetString());
            var truncation = new TruncationSettings(
                item.GetProperty("max_length").GetInt32(),
                item.GetProperty("strategy").GetString() switch
                {
                    "only_first" => TruncationStrategy.OnlyFirst,
                    "only_second" => TruncationStrategy.OnlySecond,
                    _ => TruncationStrategy.LongestFirst,
                },
                item.GetProperty("stride").GetInt32(),
                item.GetProperty("direction").GetString() == "left");
            var what = $"truncation {i} {truncation}";
            if (item.Optional("ids") is null)
                Assert.Throws<InvalidOperationException>(() => tokenizer.Encode(a, b, truncation: truncation));
            else
                differences.Try(what, () =>
                    TokenizerGolden.CompareItem(differences, what, item, tokenizer.Encode(a, b, truncation: truncation), IsPlain(a + b)));
        }
    }

    private static void ComparePadding(Differences differences, JsonElement expected, HuggingFaceTokenizer tokenizer)
    {
        foreach (var (item, i) in expected.GetProperty("padding").EnumerateArray().Select((item, i) => (item, i)))
        {
            var texts = item.GetProperty("texts").Texts();
            var padding = new PaddingSettings(
                item.GetProperty("pad_id").GetInt32(),
                tokenizer.TokenText(item.GetProperty("pad_id").GetInt32())!,
                item.Optional("pad_type_id")?.GetInt32() ?? 0,
                item.Optional("length")?.GetInt32(),
                (item.Optional("pad_to_multiple_of") ?? item.Optional("multiple_of"))?.GetInt32() ?? 0,
                item.GetProperty("direction").GetString() == "left");
            TokenEncoding[] batch = [.. texts.Select(text => tokenizer.Encode(text))];
            padding.Apply(batch);
            foreach (var (part, p) in item.GetProperty("items").EnumerateArray().Select((part, p) => (part, p)))
                TokenizerGolden.CompareItem(differences, $"padding {i} {p}", part, batch[p], IsPlain(texts[p]));
        }
    }

    /// <summary>Normalizer and pre-tokenizer alone.</summary>
    private static void CompareParts(Differences differences, JsonElement expected, string folder)
    {
        var parts = TokenizerJson.Read(File.ReadAllBytes(Path.Combine(folder, "tokenizer.json")), "tokenizer.json");
        var texts = expected.GetProperty("texts").Texts();
        for (var i = 0; i < texts.Length; i++)
        {
            var normalized = parts.Normalizer?.Normalize(texts[i]) ?? texts[i];
            differences.Text($"{i} normalized", expected.GetProperty("normalized")[i].GetString() ?? texts[i], normalized);
            if (parts.PreTokenizer is null || expected.GetProperty("pretokenized")[i].ValueKind == JsonValueKind.Null)
                continue;
            differences.Sequence(
                $"{i} pretokenized", PiecesOf(expected.GetProperty("pretokenized")[i]),
                    TokenizerComponents.Pieces(parts.PreTokenizer, normalized));
        }
    }

    private static IEnumerable<(string, int, int)> PiecesOf(JsonElement pieces) =>
        pieces.EnumerateArray().Select(p => (p[0].GetString()!, p[1].GetInt32(), p[2].GetInt32()));

    private static bool IsPlain(string text) => text.All(c => !char.IsSurrogate(c));
}
