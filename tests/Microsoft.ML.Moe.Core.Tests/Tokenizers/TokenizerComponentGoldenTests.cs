using System.Text.Json;
using Microsoft.ML.Moe.Tokenizers;

namespace Microsoft.ML.Moe.Tests.Tokenizers;

/// <summary>Normalizers, pre-tokenizers, decoders and models one by one (components.json).</summary>
[Trait("Category", "Goldens")]
public class TokenizerComponentGoldenTests
{
    [SkippableTheory]
    [InlineData("normalizers")]
    [InlineData("pre_tokenizers")]
    [InlineData("decoders")]
    [InlineData("wordpiece")]
    [InlineData("bpe")]
    [InlineData("unigram")]
    public void Components_do_what_the_library_does(string kind)
    {
        var file = Goldens.Root is null ? "" : Path.Combine(Goldens.Root, "tokenizers", "components.json");
        Skip.IfNot(File.Exists(file), "There is no golden file of components.");
        var expected = TokenizerGolden.Read(file);
        var texts = expected.GetProperty("texts").Texts();
        var differences = new Differences();
        foreach (var (item, i) in expected.GetProperty(kind).EnumerateArray().Select((item, i) => (item, i)))
            differences.Try($"{kind} {i}", () => Compare(differences, kind, $"{kind} {i} {item.Optional("config")}", item, texts));
        differences.AssertNone();
    }

    private static void Compare(Differences differences, string kind, string what, JsonElement item, string[] texts)
    {
        if (kind is "wordpiece" or "bpe" or "unigram")
        {
            CompareModel(differences, kind, what, item);
            return;
        }

        var json = JsonSerializer.SerializeToUtf8Bytes(item.GetProperty("config"));
        if (kind == "decoders")
        {
            var decoder = JsonPart.Read(json, what, DecoderReader.Read)!;
            // where it says so, the original crashes
            foreach (var single in item.GetProperty("cases").EnumerateArray().Where(c => c[1].ValueKind == JsonValueKind.String))
                differences.Text($"{what} {single[0]}", single[1].GetString(), string.Concat(decoder.Decode([.. single[0].Texts()])));
            return;
        }

        // "every second text starting with the first"
        var step = item.GetProperty("out").GetArrayLength() < texts.Length ? 2 : 1;
        foreach (var (result, i) in item.GetProperty("out").EnumerateArray().Select((result, i) => (result, i)))
        {
            var text = texts[step * i];
            if (kind == "normalizers")
                differences.Text($"{what} '{text}'", result.GetString() ?? text, JsonPart.Read(json, what,
                    NormalizerReader.Read)!.Normalize(text));
            else
                differences.Sequence(
                    $"{what} '{text}'",
                    result.EnumerateArray().Select(p => (p[0].GetString()!, p[1].GetInt32(), p[2].GetInt32())),
                    TokenizerComponents.Pieces(JsonPart.Read(json, what, PreTokenizerReader.Read)!, text));
        }
    }

    private static void CompareModel(Differences differences, string kind, string what, JsonElement item)
    {
        var type = kind switch
        {
            "wordpiece" => "WordPiece",
            "bpe" => "BPE",
            _ => "Unigram",
        };
        var members = new Dictionary<string, object> { ["type"] = type };
        foreach (var member in item.EnumerateObject())
            if (member.Name is not ("cases" or "options"))
                members[member.Name] = member.Value;
        if (kind == "bpe")
            members["vocab"] = item.GetProperty("vocab").EnumerateArray().Select((token, id) => (token.GetString()!, id)).ToDictionary(t =>
                t.Item1, t => t.id);
        if (item.Optional("options") is { } options)
            foreach (var option in options.EnumerateObject())
                members[option.Name] = option.Value;
        var model = JsonPart.Read(JsonSerializer.SerializeToUtf8Bytes(members), what, ModelReader.Read);
        foreach (var single in item.GetProperty("cases").EnumerateArray())
        {
            var text = single[0].GetString()!;
            var tokens = new List<PieceToken>();
            if (text.Length > 0)
                model.Tokenize(text, 0, tokens);
            differences.Sequence($"{what} '{text}'", single[1].Ints(), tokens.Select(t => t.Id));
            differences.Sequence(
                $"{what} '{text}' offsets",
                single[kind == "unigram" ? 3 : 2].Pairs(),
                tokens.Select(t => (TokenizerGolden.InCodePoints(text, t.Start), TokenizerGolden.InCodePoints(text, t.End))));
            if (kind == "unigram")
                differences.Sequence($"{what} '{text}' tokens", single[2].Texts(), tokens.Select(t => model.TextOf(t.Id,
                    text.AsSpan()[t.Start..t.End])!));
        }
    }
}
