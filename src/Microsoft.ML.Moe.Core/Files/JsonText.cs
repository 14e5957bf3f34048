using System.Text.Json;
using System.Text.Json.Nodes;

namespace Microsoft.ML.Moe.Files;

/// <summary>Writes JSON that was put together, without asking what types are made of, so that native programs can too.</summary>
internal static class JsonText
{
    /// <summary>Writes it to a stream.</summary>
    public static void Write(Stream stream, JsonNode json, bool indented = true)
    {
        using var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = indented });
        json.WriteTo(writer);
    }

    /// <summary>The text, as UTF-8.</summary>
    public static byte[] ToBytes(JsonNode json, bool indented = true)
    {
        using var stream = new MemoryStream();
        Write(stream, json, indented);
        return stream.ToArray();
    }
}
