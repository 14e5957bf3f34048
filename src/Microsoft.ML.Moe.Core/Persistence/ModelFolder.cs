using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Microsoft.ML.Moe.Persistence;

/// <summary>
/// A model's folder in a model zip: entries, and <c>Model.key</c>, which lists them with their lengths and SHA-256 digests. Read with distrust.
/// </summary>
internal abstract class ModelFolder
{
    /// <summary>The list, with ML.NET's header before it.</summary>
    public const string KeyEntry = "Model.key";

    /// <summary>The entry with the names of the columns.</summary>
    public const string ColumnsEntry = "Columns.json";

    /// <summary>The entry with input, architecture and head.</summary>
    public const string ConfigEntry = "Config.json";

    /// <summary>Longest small JSON file, in bytes.</summary>
    public const int MaximumJsonLength = 1 << 20;

    /// <summary>Longest file of weights, in bytes.</summary>
    public const long MaximumWeightsLength = 1L << 40;

    private const int MaximumEntries = 64;
    private readonly Dictionary<string, (long Length, byte[] Digest)> _entries = [];

    /// <summary>Whether the folder has an entry.</summary>
    public bool Has(string name) => _entries.ContainsKey(name);

    /// <summary>Reads an entry after comparing its length and digest.</summary>
    /// <param name="name">Name of the entry.</param>
    /// <param name="maximumLength">Longest that it can possibly be, in bytes.</param>
    /// <param name="read">Reads it.</param>
    /// <exception cref="InvalidDataException">The entry is missing or damaged; the message names it.</exception>
    public T Read<T>(string name, long maximumLength, Func<Stream, T> read)
    {
        if (!_entries.TryGetValue(name, out var expected))
            throw Damaged(name, "Model.key does not list it");
        T result = default!;
        var opened = false;
        bool found;
        try
        {
            found = TryOpen(name, Math.Min(expected.Length, maximumLength), stream =>
            {
                opened = true;
                if (stream.Length != expected.Length || stream.Length > maximumLength)
                    throw Damaged(name, $"it has {stream.Length} bytes, not {Math.Min(expected.Length, maximumLength)}");
                if (!SHA256.HashData(stream).AsSpan().SequenceEqual(expected.Digest))
                    throw Damaged(name, "its contents have changed since it was saved");
                stream.Position = 0;
                result = read(stream);
            });
        }
        catch (Exception e) when (!opened && e is InvalidDataException or EndOfStreamException)
        {
            throw Damaged(name, "it cannot be unpacked", e);
        }

        return found ? result : throw Damaged(name, "it is missing");
    }

    /// <summary>Reads an entry that is a small JSON object.</summary>
    /// <exception cref="InvalidDataException">It is missing or damaged; the message names it.</exception>
    public T ReadJson<T>(string name, long maximumLength, JsonTypeInfo<T> type)
        where T : class => Read(name, maximumLength, stream =>
    {
        try
        {
            return JsonSerializer.Deserialize(stream, type) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{name} cannot be read; the model file is damaged or newer than this library.", e);
        }
    });

    /// <summary>All of an entry, whose length was checked.</summary>
    public static byte[] ReadAll(Stream stream)
    {
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>The folder's name in the zip.</summary>
    private protected abstract string Name { get; }

    /// <summary>Opens an entry, if it is there.</summary>
    /// <param name="name">Name of the entry.</param>
    /// <param name="length">Bytes that it should have; of more no more than one needs to be unpacked.</param>
    /// <param name="use">Is given a stream that can be read anywhere.</param>
    private protected abstract bool TryOpen(string name, long length, Action<Stream> use);

    /// <summary>Reads the list of entries.</summary>
    /// <param name="reader">Stands at the list.</param>
    /// <param name="readName">Reads an entry's name.</param>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    private protected void ReadList(BinaryReader reader, Func<string> readName)
    {
        try
        {
            for (var count = ReadCount(reader); count > 0; count--)
                _entries.Add(readName(), (reader.ReadInt64(), ReadDigest(reader)));
        }
        catch (Exception e) when (e is EndOfStreamException or FormatException or ArgumentException)
        {
            throw Damaged(KeyEntry, "its list of entries cannot be read", e);
        }
    }

    /// <summary>What to throw where an entry is not as it was.</summary>
    private protected InvalidDataException Damaged(string name, string how, Exception? cause = null) =>
        new($"The model file is damaged: entry {Name}/{name}: {how}.", cause);

    private static int ReadCount(BinaryReader reader)
    {
        var count = reader.ReadInt32();
        return count is >= 0 and <= MaximumEntries ? count : throw new FormatException($"{count} entries");
    }

    private static byte[] ReadDigest(BinaryReader reader)
    {
        var digest = reader.ReadBytes(SHA256.HashSizeInBytes);
        return digest.Length == SHA256.HashSizeInBytes ? digest : throw new EndOfStreamException();
    }
}
