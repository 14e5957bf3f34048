using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Microsoft.ML.Moe;
using Microsoft.ML.Moe.Routing;

namespace MoeTool;

/// <summary>
/// A trainer's options as JSON: an object whose entries are properties of the options, named as in C# or beginning with a small letter.
/// </summary>
internal static class OptionsFile
{
    private const int LongestFile = 1 << 20;

    // Set by other arguments, or of no use in a file.
    private static readonly string[] NotOfFile =
    [
        nameof(MoeTrainerOptions.StepCompleted), nameof(MoeTrainerOptions.EpochCompleted), nameof(MoeTrainerOptions.EvaluationCompleted),
        nameof(MoeTrainerOptions.StopToken), nameof(MoeClassifierOptions.ValidationSet),
        nameof(MoeClassifierOptions.LabelColumnName), nameof(MoeClassifierOptions.ScoreColumnName),
        nameof(MoeClassifierOptions.PredictedLabelColumnName), nameof(MoeClassifierOptions.WeightColumnName),
        nameof(MoeTextClassificationTrainer.Options.Sentence1ColumnName), nameof(MoeTextClassificationTrainer.Options.Sentence2ColumnName),
        nameof(MoeImageClassificationTrainer.Options.FeatureColumnName),
        nameof(MoeFeatureOptions.ExampleWeightColumnName), nameof(MoeBinaryClassificationTrainer.Options.ProbabilityColumnName),
        nameof(MoeTextPretrainer.Options.InputColumnName), nameof(MoeTextPretrainer.Options.OutputColumnName),
        nameof(MoeGeneratorOptions.Model), nameof(MoeTextToTextTrainer.Options.SourceColumnName),
        nameof(MoeTextToTextTrainer.Options.TargetColumnName), nameof(MoeTextToTextTrainer.Options.Prompt),
        nameof(MoeTextToTextClassificationTrainer.Options.TextColumnName), nameof(MoeLanguageModelTrainer.Options.PromptColumnName),
        nameof(MoeLanguageModelTrainer.Options.CompletionColumnName), nameof(MoeTextGeneratorOptions.LogProbabilityColumnName),
        nameof(MoeTextGeneratorOptions.TokenCountColumnName),
    ];

    private static readonly JsonSerializerOptions Plain = new()
    {
        PropertyNameCaseInsensitive = true,
        AllowTrailingCommas = true,
        ReadCommentHandling = JsonCommentHandling.Skip,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
        Converters = { new JsonStringEnumConverter(namingPolicy: null, allowIntegerValues: false) },
    };

    private static readonly JsonSerializerOptions Values = new(Plain)
    {
        Converters =
        {
            new RouterJson(), new InitialModelJson(), new TokenizerJson(), new PublishedEncoderJson(), new FineTuningJson(), new UpcyclingJson(),
        },
    };

    /// <summary>Sets what a file names.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">The options.</param>
    /// <exception cref="UserException">It is not there or no JSON, or an entry is unknown or impossible; the message names it.</exception>
    public static void Apply(string path, MoeTrainerOptions options)
    {
        using var document = Read(path);
        if (document.RootElement.ValueKind != JsonValueKind.Object)
            throw new UserException($"'{path}' should hold an object: {{ \"layers\": 1, … }}.");
        foreach (var entry in document.RootElement.EnumerateObject())
        {
            var property = Find(options.GetType(), entry.Name)
                ?? throw new UserException($"'{path}' names '{entry.Name}', which is no option. {Possible(options.GetType())}");
            try
            {
                property.SetValue(options, entry.Value.Deserialize(property.PropertyType, Values));
            }
            catch (Exception e) when (e is JsonException or ArgumentException or TargetInvocationException or IOException or InvalidDataException)
            {
                throw new UserException($"'{path}': {entry.Name} = {Shortened(entry.Value)} is impossible: {Reason(e, property)}");
            }
        }
    }

    private static JsonDocument Read(string path)
    {
        var file = new FileInfo(path);
        if (!file.Exists)
            throw new UserException($"There is no file '{path}' with options.");
        if (file.Length > LongestFile)
            throw new UserException($"'{path}' has {file.Length} bytes; a file of options has at most {LongestFile}.");
        try
        {
            return JsonDocument.Parse(
                File.ReadAllBytes(path), new JsonDocumentOptions { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip });
        }
        catch (JsonException e)
        {
            throw new UserException($"'{path}' is no JSON: {e.Message}");
        }
    }

    private static PropertyInfo? Find(Type options, string name) =>
        PropertiesOf(options).FirstOrDefault(property => property.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    private static IEnumerable<PropertyInfo> PropertiesOf(Type options) =>
        options.GetProperties().Where(property => property.CanWrite && !NotOfFile.Contains(property.Name));

    private static string Possible(Type options) =>
        "Possible are "
        + string.Join(", ", PropertiesOf(options).Select(property => JsonNamingPolicy.CamelCase.ConvertName(property.Name)).Order()) + ".";

    private static string Shortened(JsonElement value) => value.GetRawText() is { Length: > 80 } text ? text[..79] + "…" : value.GetRawText();

    private static string Reason(Exception failure, PropertyInfo property)
    {
        if (failure is not JsonException { InnerException: null or InvalidOperationException or FormatException } json)
            return App.OneLine(failure is JsonException ? failure.InnerException! : failure);
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        return type switch
        {
            _ when type == typeof(bool) => "it is true or false.",
            _ when type == typeof(int) => "it is a whole number.",
            _ when type == typeof(float) || type == typeof(double) => "it is a number.",
            { IsEnum: true } => $"it is one of {string.Join(", ", Enum.GetNames(type))}.",
            _ => json.Message,
        };
    }

    /// <summary>A router as an object: <c>{ "kind": "unified", "expertsPerToken": 1.5, "alpha": 0.4 }</c>; what is not named is at its default.</summary>
    private sealed class RouterJson : JsonConverter<Router>
    {
        public override Router Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            var given = JsonNode.Parse(ref reader) as JsonObject ?? throw new JsonException("a router is an object with a \"kind\".");
            var kind = Take<string>(given, nameof(Router.Kind)) ?? throw new JsonException("a router needs a \"kind\".");
            if (!Enum.TryParse<RouterKind>(kind.Replace("-", "", StringComparison.Ordinal), ignoreCase: true, out var known) || !Enum.IsDefined(known))
                throw new JsonException($"there is no router '{kind}'; possible are {string.Join(", ", Enum.GetNames<RouterKind>())}.");
            var router = Routers.Create(known, Take<double?>(given, nameof(Router.ExpertsPerToken)));
            var all = JsonSerializer.SerializeToNode(router, Plain)!.AsObject();
            foreach (var (name, value) in given)
            {
                var setting = all.Select(entry => entry.Key).FirstOrDefault(key => key.Equals(name, StringComparison.OrdinalIgnoreCase))
                    ?? throw new JsonException($"a router has no '{name}', but {string.Join(", ", all.Select(entry => entry.Key))}.");
                all[setting] = value?.DeepClone();
            }

            return all.Deserialize<Router>(Plain)!;
        }

        public override void Write(Utf8JsonWriter writer, Router value, JsonSerializerOptions options) =>
            JsonSerializer.Serialize(writer, value, Plain);

        private static T? Take<T>(JsonObject given, string name) => JsonMembers.Take(given, name) is { } value ? value.Deserialize<T>(Plain) : default;
    }

    /// <summary>A model as the path of its file.</summary>
    private sealed class InitialModelJson : JsonConverter<PretrainedModel>
    {
        public override PretrainedModel Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            PretrainedModel.FromFile(reader.GetString() ?? "");

        public override void Write(Utf8JsonWriter writer, PretrainedModel value, JsonSerializerOptions options) =>
            throw new NotSupportedException("Options are only read.");
    }

    /// <summary>A tokenizer as the path of its WordPiece vocabulary, a token on each line.</summary>
    private sealed class TokenizerJson : JsonConverter<TextTokenizer>
    {
        public override TextTokenizer Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            TextTokenizer.FromWordPieceVocabulary(reader.GetString() ?? "");

        public override void Write(Utf8JsonWriter writer, TextTokenizer value, JsonSerializerOptions options) =>
            throw new NotSupportedException("Options are only read.");
    }
}
