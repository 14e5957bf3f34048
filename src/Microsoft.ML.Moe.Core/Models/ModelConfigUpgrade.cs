using System.Text.Json;
using System.Text.Json.Nodes;

namespace Microsoft.ML.Moe.Models;

/// <summary>Brings configurations of earlier versions into today's form.</summary>
internal static class ModelConfigUpgrade
{
    private static readonly string[] OfEncoder =
    [
        "width", "layers", "heads", "moeEvery", "experts", "router", "expertWidth", "denseWidth", "loadBalancingCoefficient",
        "routerZLossCoefficient", "dropout",
    ];

    private static readonly string[] OfText = ["usesTokenizer", "tableRows", "hashBits", "lowercase", "maximumTokens"];

    private static readonly string[] OfImages =
        ["imageWidth", "imageHeight", "channels", "patchSize", "patchMargin", "convolutions", "means", "deviations"];

    /// <summary>
    /// Versions 1 and 2 were flat: architecture, input and classes side by side. A text model without classes is an encoder, whose vectors
    /// are pooled. Settings that a router has no use for were allowed. A router's <c>normalizeWeights</c> is now <c>normalization</c>.
    /// </summary>
    /// <param name="json">The configuration, of any version; taken apart.</param>
    /// <returns>The configuration in today's form.</returns>
    public static JsonObject Apply(JsonObject json)
    {
        var isNested = json["version"]!.GetValue<int>() >= 3;
        if ((isNested ? json["encoder"]?["router"] : json["router"]) is JsonObject router)
        {
            if (!isNested)
                DropUnused(router);
            NameNormalization(router);
            PutKindFirst(router);
        }

        if (isNested)
            return json;
        json.Remove("version");
        var encoder = Take(json, OfEncoder);
        var isImage = json.ContainsKey("imageWidth");
        var input = Take(json, isImage ? OfImages : OfText);
        input["kind"] = isImage ? "image" : "text";
        if (!isImage)
            input["marksSharedTokens"] = false;
        var head = new JsonObject { ["kind"] = "vector" };
        if (json.ContainsKey("classes"))
        {
            head = Take(json, "classes");
            head["kind"] = "classes";
            if (Take(json, "wideBits")["wideBits"]?.GetValue<int>() is { } bits and not 0)
            {
                // its scores were added to the encoder's: both count 1
                json["linear"] = new JsonObject { ["hashedBits"] = bits, ["features"] = 1 << Math.Clamp(bits, 0, 24) };
                input["linear"] = "words";
            }
        }

        // what is left belongs nowhere, and the reader refuses it
        json["version"] = ModelConfig.CurrentVersion;
        (json["input"], json["encoder"], json["head"]) = (input, encoder, head);
        return json;
    }

    private static void DropUnused(JsonObject router)
    {
        var kind = router["kind"]?.GetValue<string>();
        if (kind != "unified")
            router.Remove("alpha");
        if (kind == "expertChoice")
            router.Remove("normalizeWeights");
    }

    /// <summary>Whether weights were normalised became by what sum: over the selected experts, with Unified over all.</summary>
    private static void NameNormalization(JsonObject router)
    {
        if (!router.Remove("normalizeWeights", out var normalizes) || normalizes is null)
            return;
        var sum = router["kind"]?.GetValue<string>() == "unified" ? "all" : "selected";
        router["normalization"] = normalizes.GetValue<bool>() ? sum : "none";
    }

    /// <summary>What a router's other values may be depends on its kind, whatever the order in the file.</summary>
    private static void PutKindFirst(JsonObject router)
    {
        if (!router.Remove("kind", out var kind))
            throw new JsonException("A router has no kind.");
        router.Insert(0, "kind", kind);
    }

    private static JsonObject Take(JsonObject json, params ReadOnlySpan<string> names)
    {
        var taken = new JsonObject();
        foreach (var name in names)
            if (json.ContainsKey(name))
            {
                var value = json[name];
                json.Remove(name);
                taken[name] = value;
            }

        return taken;
    }
}
