using System.Text.Json;
using Microsoft.ML.Moe.Tokenizers;

namespace Microsoft.ML.Moe.Tests.Tokenizers;

/// <summary>Reads what golden files say of encodings; offsets there are code points.</summary>
internal static class TokenizerGolden
{
    public static JsonElement Read(string path)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(path));
        return document.RootElement.Clone();
    }

    public static int[] Ints(this JsonElement element) => [.. element.EnumerateArray().Select(e => e.GetInt32())];

    public static string[] Texts(this JsonElement element) => [.. element.EnumerateArray().Select(e => e.GetString()!)];

    public static (int, int)[] Pairs(this JsonElement element) =>
        [.. element.EnumerateArray().Select(e => (e[0].GetInt32(), e[1].GetInt32()))];

    public static JsonElement? Optional(this JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>Number of code points before a UTF-16 index.</summary>
    public static int InCodePoints(string text, int index)
    {
        var count = 0;
        for (var i = 0; i < index && i < text.Length; i++)
            if (!(char.IsLowSurrogate(text[i]) && i > 0 && char.IsHighSurrogate(text[i - 1])))
                count++;
        return count;
    }

    /// <summary>Offsets of a text in code points.</summary>
    public static (int, int)[] CodePointOffsets(TokenEncoding encoding, string text) =>
        [.. encoding.Offsets.Select(o => (InCodePoints(text, o.Start), InCodePoints(text, o.End)))];

    public static string Mask(IEnumerable<bool> flags) => string.Concat(flags.Select(f => f ? '1' : '0'));

    /// <summary>Compares what an item of pairs, truncation or padding names.</summary>
    public static void CompareItem(Differences differences, string what, JsonElement item, TokenEncoding encoding, bool isPlain)
    {
        differences.Sequence(what + " ids", item.GetProperty("ids").Ints(), encoding.Ids);
        if (item.Optional("type_ids") is { } types)
            differences.Sequence(what + " type_ids", types.Ints(), encoding.TypeIds);
        if (item.Optional("attention_mask") is { } attention)
            differences.Sequence(what + " attention_mask", attention.Ints(), encoding.Attention.Select(a => a ? 1 : 0));
        if (item.Optional("special_tokens_mask") is { } special)
            differences.Sequence(what + " special_tokens_mask", special.Ints(), encoding.IsSpecial.Select(a => a ? 1 : 0));
        if (isPlain && item.Optional("offsets") is { } offsets)
            differences.Sequence(what + " offsets", offsets.Pairs(), encoding.Offsets);
        if (item.Optional("tokens") is { } tokens && encoding.Tokens is not null)
            differences.Sequence(what + " tokens", tokens.Texts(), encoding.Tokens);
        if (item.Optional("overflowing") is not { } overflowing)
            return;
        differences.Sequence(what + " overflowing", [overflowing.GetArrayLength()], [encoding.Overflowing.Count]);
        foreach (var (part, i) in overflowing.EnumerateArray().Take(encoding.Overflowing.Count).Select((p, i) => (p, i)))
            CompareItem(differences, $"{what} overflowing {i}", part, encoding.Overflowing[i], isPlain);
    }

    /// <summary>Compares the texts and pairs of a file that lists them one by one.</summary>
    public static void CompareList(Differences differences, JsonElement expected, HuggingFaceTokenizer tokenizer)
    {
        foreach (var item in expected.GetProperty("texts").EnumerateArray())
        {
            var text = item.GetProperty("text").GetString()!;
            var values = item.Optional("fast") ?? item.Optional("slow") ?? item;
            differences.Try(text, () =>
            {
                var ids = tokenizer.Encode(text, withTokens: true).Ids;
                differences.Sequence($"'{text}' ids", values.GetProperty("ids").Ints(), ids);
                differences.Text($"'{text}' decode", values.GetProperty("decode").GetString(), tokenizer.Decode(ids, false));
                differences.Text($"'{text}' decode_skip", values.GetProperty("decode_skip").GetString(), tokenizer.Decode(ids, true));
            });
        }

        foreach (var item in expected.Optional("pairs")?.EnumerateArray() ?? default)
        {
            // the library around the tokenizer takes an empty second text for none
            var second = item.GetProperty("b").GetString() is { Length: > 0 } b ? b : null;
            differences.Sequence(
                $"pair {item}", item.GetProperty("fast").Ints(), tokenizer.Encode(item.GetProperty("a").GetString()!, second).Ids);
        }
    }
}
