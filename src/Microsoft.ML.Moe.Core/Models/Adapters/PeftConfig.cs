using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.ML.Moe.Files;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Models.Published;

namespace Microsoft.ML.Moe.Models.Adapters;

/// <summary>
/// <c>adapter_config.json</c> as peft writes it. Read with distrust: settings that change what an adapter computes and are not supported here
/// are refused by name, unknown ones too unless they are empty.
/// </summary>
internal static class PeftConfig
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "adapter_config.json";

    /// <summary>What says nothing of the result: where the adapter comes from, and how it began to learn.</summary>
    private static readonly HashSet<string> _ignored =
    [
        "peft_type", "peft_version", "task_type", "auto_mapping", "base_model_name_or_path", "revision", "inference_mode", "runtime_config",
        "megatron_core", "qalora_group_size", "eva_config", "ensure_weight_tying", "fan_in_fan_out", "init_lora_weights", "bias", "r", "lora_alpha",
        "lora_dropout", "use_rslora", "target_modules", "target_parameters", "rank_pattern", "alpha_pattern",
    ];

    /// <summary>Ways to begin that leave the model's own weights as they are; others have changed these.</summary>
    private static readonly HashSet<string> _starts = ["gaussian", "eva", "orthogonal"];

    /// <summary>Reads the file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="modules">Gives the modules that the adapter's tensors are of, where the file does not name them.</param>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    /// <exception cref="InvalidDataException">It is damaged, or asks for what is not supported.</exception>
    public static LowRankAdaptation Read(string path, Func<IReadOnlyList<string>> modules)
    {
        var json = PublishedFolder.ReadJson(path);
        if (json.ValueKind != JsonValueKind.Object)
            throw new InvalidDataException($"{path} is not a JSON object.");
        var settings = new PublishedSettings(json, path);
        settings.RefuseOther("peft_type", "LORA");
        settings.RefuseOther("bias", "none");
        foreach (var setting in json.EnumerateObject().Where(p => !_ignored.Contains(p.Name) && !IsEmpty(p.Value)))
            throw settings.Refused($"{setting.Name} is not supported");
        if (json.TryGetProperty("init_lora_weights", out var start) && start.ValueKind == JsonValueKind.String && !_starts.Contains(start.GetString()!))
            throw settings.Refused($"init_lora_weights '{start.GetString()}' is not supported: it changes the model's own weights");
        try
        {
            return new LowRankAdaptation
            {
                Rank = settings.Int("r", 8),
                Alpha = settings.Float("lora_alpha", 8f),
                ScalesByRoot = settings.Flag("use_rslora"),
                Dropout = settings.Float("lora_dropout", 0f),
                Targets = IsPattern(json) ? modules() : settings.Texts("target_modules"),
                TargetParameters = settings.Texts("target_parameters"),
                Ranks = Numbers(settings, json, "rank_pattern").ToDictionary(p => p.Name, p => checked((int)p.Value)),
                Alphas = Numbers(settings, json, "alpha_pattern").ToDictionary(p => p.Name, p => (float)p.Value),
            };
        }
        catch (Exception e) when (e is ArgumentException or OverflowException)
        {
            throw new InvalidDataException($"{path} holds an impossible value: {e.Message}", e);
        }
    }

    /// <summary>Writes the file.</summary>
    /// <param name="stream">Receives it.</param>
    /// <param name="config">The model; it is adapted.</param>
    /// <param name="adapters">Its adapters.</param>
    public static void Write(Stream stream, ModelConfig config, AdapterPlan adapters)
    {
        var adaptation = config.Adaptation!;
        var matrices = adapters.Adapted.SelectMany(a => a.Matrices).ToList();
        JsonText.Write(
            stream,
            new JsonObject
            {
                ["alpha_pattern"] = new JsonObject(adaptation.Alphas.Select(a => KeyValuePair.Create(a.Key, (JsonNode?)a.Value))),
                ["base_model_name_or_path"] = config.BaseModel?.Name,
                ["bias"] = "none",
                ["fan_in_fan_out"] = config.Encoder is Gpt2Config,
                ["inference_mode"] = true,
                ["init_lora_weights"] = true,
                ["layers_pattern"] = null,
                ["layers_to_transform"] = null,
                ["lora_alpha"] = adaptation.Alpha,
                ["lora_dropout"] = adaptation.Dropout,
                ["modules_to_save"] = null,
                ["peft_type"] = "LORA",
                ["r"] = adaptation.Rank,
                ["rank_pattern"] = new JsonObject(adaptation.Ranks.Select(r => KeyValuePair.Create(r.Key, (JsonNode?)r.Value))),
                ["revision"] = null,
                ["target_modules"] = ArrayOf(adaptation.Targets, matrices.Where(m => !m.IsStack).SelectMany(m => m.Modules), adapters.Left),
                ["target_parameters"] = ArrayOf(adaptation.TargetParameters, matrices.Where(m => m.IsStack).SelectMany(m => m.Tensors), adapters.Left),
                ["task_type"] = config.Head switch
                {
                    NextTokenHeadConfig => "CAUSAL_LM",
                    DecoderHeadConfig => "SEQ_2_SEQ_LM",
                    _ => "FEATURE_EXTRACTION",
                },
                ["use_dora"] = false,
                ["use_rslora"] = adaptation.ScalesByRoot,
            });
    }

    private static JsonArray ArrayOf(IReadOnlyList<string> given, IEnumerable<string> found, IReadOnlySet<string> left) =>
        new([.. Names(given, found, left).Select(name => (JsonNode)name)]);

    // the names that were given, where they stand for what there is; else names within a layer, where they stand for nothing else
    private static string[] Names(IReadOnlyList<string> given, IEnumerable<string> found, IReadOnlySet<string> left)
    {
        string[] names = [.. found];
        if (names.All(name => given.Any(g => AdapterPlan.Ends(name, g))))
            return [.. given.Order(StringComparer.Ordinal)];
        var ofLayers = names.ToLookup(WithinLayer);
        return [.. ofLayers
            .SelectMany(alike => left.Any(other => AdapterPlan.Ends(other, alike.Key)) ? alike : (IEnumerable<string>)[alike.Key])
            .Distinct()
            .Order(StringComparer.Ordinal)];
    }

    private static string WithinLayer(string name)
    {
        var parts = name.Split('.');
        var last = Array.FindLastIndex(parts, part => part.All(char.IsAsciiDigit));
        return string.Join('.', parts[(last + 1)..]);
    }

    private static bool IsPattern(JsonElement json) =>
        json.TryGetProperty("target_modules", out var names) && names.ValueKind == JsonValueKind.String && names.GetString() != "";

    private static bool IsEmpty(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.False => true,
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        JsonValueKind.String => value.GetString() == "",
        _ => false,
    };

    private static IEnumerable<(string Name, double Value)> Numbers(PublishedSettings settings, JsonElement json, string name) =>
        !json.TryGetProperty(name, out var part) || part.ValueKind == JsonValueKind.Null ? []
        : part.ValueKind != JsonValueKind.Object ? throw settings.Refused($"{name} is not an object")
        : part.EnumerateObject().Select(p => p.Value.ValueKind == JsonValueKind.Number && p.Value.TryGetDouble(out var value)
            ? (p.Name, value)
            : throw settings.Refused($"{name} of '{p.Name}' is not a number"));
}
