using System.Text.Json.Nodes;
using Microsoft.ML.Moe.Files;

namespace Microsoft.ML.Moe.Tokenizers;

/// <summary>Parts of a tokenizer that is made here, as a <c>tokenizer.json</c> that huggingface/tokenizers reads too.</summary>
internal sealed class NewTokenizer
{
    /// <summary>The padding token, whose id is 0.</summary>
    public const string Padding = "<pad>";

    /// <summary>The end token, whose id is 1.</summary>
    public const string End = "</s>";

    /// <summary>The model, whose vocabulary begins with <see cref="Padding"/> and <see cref="End"/>.</summary>
    public required JsonObject Model { get; init; }

    /// <summary>Divides texts before the model sees them.</summary>
    public required JsonObject PreTokenizer { get; init; }

    /// <summary>Makes texts of tokens.</summary>
    public required JsonObject Decoder { get; init; }

    /// <summary>Number of tokens of the model.</summary>
    public required int ModelTokens { get; init; }

    /// <summary>The token of what the model does not know, whose id is 2; null for none.</summary>
    public string? Unknown { get; init; }

    /// <summary>Number of tokens <c>&lt;extra_id_0&gt;</c> … that are added after those of the model: T5's sentinels.</summary>
    public int Sentinels { get; init; }

    /// <summary>Whether a text is given its end token, as encoder–decoders want it.</summary>
    public bool AppendsEnd { get; init; }

    /// <summary>Makes the tokenizer.</summary>
    public HuggingFaceTokenizer Create()
    {
        List<JsonNode> added = [Added(Padding, 0), Added(End, 1)];
        if (Unknown is not null)
            added.Add(Added(Unknown, 2));
        added.AddRange(Enumerable.Range(0, Sentinels).Select(i => Added($"<extra_id_{i}>", ModelTokens + i)));
        var json = new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = new JsonArray([.. added]),
            ["normalizer"] = null,
            ["pre_tokenizer"] = PreTokenizer,
            ["post_processor"] = AppendsEnd ? Template() : null,
            ["decoder"] = Decoder,
            ["model"] = Model,
        };
        var config = new JsonObject
        {
            ["tokenizer_class"] = "PreTrainedTokenizerFast",
            ["pad_token"] = Padding,
            ["eos_token"] = End,
            ["clean_up_tokenization_spaces"] = false,
        };
        if (Unknown is not null)
            config["unk_token"] = Unknown;
        return HuggingFaceTokenizer.Load(new Dictionary<string, byte[]>
        {
            [TokenizerJson.FileName] = JsonText.ToBytes(json, indented: false),
            [TokenizerConfig.FileName] = JsonText.ToBytes(config, indented: false),
        });
    }

    private static JsonObject Added(string text, int id) => new()
    {
        ["id"] = id,
        ["content"] = text,
        ["single_word"] = false,
        ["lstrip"] = false,
        ["rstrip"] = false,
        ["normalized"] = false,
        ["special"] = true,
    };

    private static JsonObject Template() => new()
    {
        ["type"] = "TemplateProcessing",
        ["single"] = new JsonArray(Text("A"), EndPart()),
        ["pair"] = new JsonArray(Text("A"), EndPart(), Text("B"), EndPart()),
        ["special_tokens"] = new JsonObject
        {
            [End] = new JsonObject { ["id"] = End, ["ids"] = new JsonArray(1), ["tokens"] = new JsonArray(End) },
        },
    };

    private static JsonObject Text(string id) => new() { ["Sequence"] = new JsonObject { ["id"] = id, ["type_id"] = 0 } };

    private static JsonObject EndPart() => new() { ["SpecialToken"] = new JsonObject { ["id"] = End, ["type_id"] = 0 } };
}
