using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Microsoft.ML.Moe.MlNet;

namespace Microsoft.ML.Moe.Persistence;

/// <summary>Entries of a model's folder that are a small JSON object.</summary>
internal static class JsonEntry
{
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        WriteIndented = true,
        TypeInfoResolver = new DefaultJsonTypeInfoResolver(),
    };

    /// <summary>Writes an entry.</summary>
    public static void Write<T>(ModelFolderWriter folder, string name, T content) =>
        folder.AddEntry(name, stream => JsonSerializer.Serialize(stream, content, Options));

    /// <summary>Reads an entry.</summary>
    /// <exception cref="InvalidDataException">It is missing or damaged; the message names it.</exception>
    public static T Read<T>(ModelFolder folder, string name, long maximumLength)
        where T : class => folder.ReadJson(name, maximumLength, (JsonTypeInfo<T>)Options.GetTypeInfo(typeof(T)));
}
