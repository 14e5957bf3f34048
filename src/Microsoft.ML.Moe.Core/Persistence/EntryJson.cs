using System.Text.Json.Serialization;

namespace Microsoft.ML.Moe.Persistence;

/// <summary>The small JSON entries of a model's folder that are read without ML.NET too.</summary>
[JsonSourceGenerationOptions(
    GenerationMode = JsonSourceGenerationMode.Metadata,
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(LabelEntry))]
[JsonSerializable(typeof(TokenizerEntry))]
internal sealed partial class EntryJson : JsonSerializerContext;
