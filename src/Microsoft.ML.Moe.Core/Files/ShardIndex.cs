using System.Text.Json;

namespace Microsoft.ML.Moe.Files;

/// <summary>
/// The index of a checkpoint in several files: <c>{ "metadata": { "total_size": bytes }, "weight_map": { tensor: file } }</c>.
/// Source: huggingface_hub, serialization.
/// </summary>
internal sealed class ShardIndex
{
    /// <summary>What follows the name of the file that there would be if it were one.</summary>
    public const string Suffix = ".index.json";

    /// <summary>How an index's name ends.</summary>
    public const string Extension = ".safetensors" + Suffix;

    private const int MaximumBytes = 100_000_000;
    private static readonly JsonDocumentOptions Json = new() { AllowDuplicateProperties = false };

    private ShardIndex(IReadOnlyDictionary<string, HashSet<string>> shards) => Shards = shards;

    /// <summary>The tensors of each shard; a shard's name is that of a file beside the index.</summary>
    public IReadOnlyDictionary<string, HashSet<string>> Shards { get; }

    /// <summary>Reads an index.</summary>
    /// <exception cref="InvalidDataException">It is no such index, or names a shard outside its folder.</exception>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    public static ShardIndex Read(string path)
    {
        if (!File.Exists(path))
            throw new FileNotFoundException($"There is no file or folder {path}.", path);
        if (new FileInfo(path).Length > MaximumBytes)
            throw new InvalidDataException($"{path} has over {MaximumBytes} bytes, which no index of shards has.");
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path), Json);
            var shards = new SortedDictionary<string, HashSet<string>>(StringComparer.Ordinal);
            foreach (var entry in document.RootElement.GetProperty("weight_map").EnumerateObject())
            {
                var shard = entry.Value.GetString() ?? "";
                if (!IsFileName(shard))
                {
                    throw new InvalidDataException(
                        $"{path}: the shard of tensor {entry.Name}, '{shard}', is no safetensors file beside the index.");
                }

                if (!shards.TryGetValue(shard, out var tensors))
                    shards.Add(shard, tensors = []);
                tensors.Add(entry.Name);
            }

            return shards.Count > 0 ? new ShardIndex(shards) : throw new InvalidDataException($"{path} names no tensors.");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new InvalidDataException($"{path} is no index of shards: it needs a \"weight_map\" from tensors to files.", e);
        }
    }

    /// <summary>Writes an index.</summary>
    /// <param name="stream">Receives the JSON.</param>
    /// <param name="totalBytes">Bytes of all tensors.</param>
    /// <param name="shardOfTensor">The tensors and their shards.</param>
    public static void Write(Stream stream, long totalBytes, IEnumerable<(string Tensor, string Shard)> shardOfTensor)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteStartObject("metadata");
        json.WriteNumber("total_size", totalBytes);
        json.WriteEndObject();
        json.WriteStartObject("weight_map");
        foreach (var (tensor, shard) in shardOfTensor)
            json.WriteString(tensor, shard);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    // Separators and drives of every system, whichever this is: the same index is refused everywhere.
    private static bool IsFileName(string name) =>
        name.EndsWith(".safetensors", StringComparison.Ordinal) && name.IndexOfAny(['/', '\\', ':', '\0']) < 0;
}
