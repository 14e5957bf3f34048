using System.Buffers.Binary;
using System.Text.Json;

namespace Microsoft.ML.Moe.Files;

/// <summary>
/// The header of a safetensors file: eight bytes with its length (little-endian), then JSON,
/// <c>{ name: { "dtype", "shape", "data_offsets": [begin, end] }, "__metadata__": { text: text } }</c>; the data follow. Read with
/// distrust: sizes are multiplied with checks for overflow, and tensors follow one another without holes, overlaps or equal names.
/// Source: huggingface/safetensors, README.
/// </summary>
internal sealed class SafeTensorsHeader
{
    /// <summary>Bytes before the JSON.</summary>
    public const int LengthBytes = sizeof(long);

    private const string MetadataName = "__metadata__";
    private const int MaximumLength = 100_000_000;
    private const int MaximumRank = 8;
    private static readonly JsonDocumentOptions Json = new() { AllowDuplicateProperties = false, MaxDepth = 4 };

    private SafeTensorsHeader(IReadOnlyList<TensorInfo> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        Tensors = tensors;
        Metadata = metadata;
        DataBytes = tensors.Count == 0 ? 0 : tensors[^1].Offset + tensors[^1].Bytes;
    }

    /// <summary>The tensors in the order of their data.</summary>
    public IReadOnlyList<TensorInfo> Tensors { get; }

    /// <summary>What the file says of itself.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Bytes of all tensors.</summary>
    public long DataBytes { get; }

    /// <summary>The JSON's length.</summary>
    /// <param name="bytes"><see cref="LengthBytes"/> bytes.</param>
    /// <param name="room">Bytes that can follow at most: a file's length without these; unknown for a stream.</param>
    /// <param name="file">What errors call the file.</param>
    /// <exception cref="InvalidDataException">No header has that length.</exception>
    public static int LengthOf(ReadOnlySpan<byte> bytes, long room, string file)
    {
        var length = BinaryPrimitives.ReadInt64LittleEndian(bytes);
        if (length is < 2 or > MaximumLength)
            throw Damaged(file, $"its header claims {(ulong)length} bytes");
        return length <= room ? (int)length : throw Damaged(file, $"its header claims {length} bytes, but {room} follow");
    }

    /// <summary>Reads the JSON.</summary>
    /// <param name="json">All of it.</param>
    /// <param name="file">What errors call the file.</param>
    /// <exception cref="InvalidDataException">It is not such a header; the message names file and tensor.</exception>
    public static SafeTensorsHeader Parse(ReadOnlyMemory<byte> json, string file)
    {
        try
        {
            using var document = JsonDocument.Parse(json, Json);
            var tensors = new List<TensorInfo>();
            var metadata = new Dictionary<string, string>();
            foreach (var property in document.RootElement.EnumerateObject())
            {
                if (property.Name != MetadataName)
                    tensors.Add(ReadTensor(property, file));
                else
                    metadata = property.Value.EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetString() ?? "");
            }

            tensors.Sort((x, y) => (x.Offset, x.Bytes).CompareTo((y.Offset, y.Bytes)));
            var end = 0L;
            foreach (var tensor in tensors)
            {
                if (tensor.Offset != end)
                    throw Damaged(file, $"tensor {tensor.Name} begins at byte {tensor.Offset}, not {end}");
                end = checked(end + tensor.Bytes);
            }

            return new SafeTensorsHeader(tensors, metadata);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or KeyNotFoundException
            or IndexOutOfRangeException or OverflowException)
        {
            throw Damaged(file, "its header cannot be read", e);
        }
    }

    /// <summary>The error for a file that cannot be read.</summary>
    public static InvalidDataException Damaged(string file, string what, Exception? cause = null) =>
        new($"{file} is damaged or no safetensors file: {what}.", cause);

    /// <summary>Writes a header.</summary>
    /// <param name="stream">Receives the length and the JSON, padded so that the data are aligned to eight bytes.</param>
    /// <param name="tensors">Name, type and shape of each, in the order of the data.</param>
    /// <param name="metadata">What the file says of itself; null for nothing.</param>
    public static void Write(
        Stream stream,
        IEnumerable<(string Name, TensorType Type, int[] Shape)> tensors,
        IReadOnlyDictionary<string, string>? metadata = null)
    {
        using var header = new MemoryStream();
        using (var json = new Utf8JsonWriter(header))
        {
            json.WriteStartObject();
            if (metadata is not null)
            {
                json.WriteStartObject(MetadataName);
                foreach (var (key, value) in metadata)
                    json.WriteString(key, value);
                json.WriteEndObject();
            }

            var offset = 0L;
            foreach (var (name, type, shape) in tensors)
            {
                json.WriteStartObject(name);
                json.WriteString("dtype", type.NameOf());
                json.WriteStartArray("shape");
                foreach (var size in shape)
                    json.WriteNumberValue(size);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset += shape.Aggregate(type.BitsOf() / 8L, (product, size) => product * size));
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        // the format asks for data aligned to eight bytes; spaces may follow the header
        while (header.Length % 8 != 0)
            header.WriteByte((byte)' ');
        Span<byte> length = stackalloc byte[LengthBytes];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        stream.Write(length);
        stream.Write(header.GetBuffer().AsSpan(0, (int)header.Length));
    }

    private static TensorInfo ReadTensor(JsonProperty property, string file)
    {
        var typeName = property.Value.GetProperty("dtype").GetString();
        if (TensorTypes.Find(typeName) is not { } type)
            throw Damaged(file, $"tensor {property.Name} has the unknown type {typeName}");
        var sizes = property.Value.GetProperty("shape");
        if (sizes.GetArrayLength() > MaximumRank)
            throw Damaged(file, $"tensor {property.Name} has {sizes.GetArrayLength()} dimensions, more than {MaximumRank}");
        int[] shape = [.. sizes.EnumerateArray().Select(s => s.GetInt32())];
        if (shape.Any(s => s < 0))
            throw Damaged(file, $"tensor {property.Name} has a negative size");
        var offsets = property.Value.GetProperty("data_offsets");
        if (offsets.GetArrayLength() != 2)
            throw Damaged(file, $"tensor {property.Name} has {offsets.GetArrayLength()} offsets, not 2");
        var (begin, end) = (offsets[0].GetInt64(), offsets[1].GetInt64());
        var elements = shape.Contains(0) ? 0L : shape.Aggregate(1L, (product, size) => checked(product * size));
        var bits = checked(elements * type.BitsOf());
        if (begin < 0 || end < begin || bits % 8 != 0 || end - begin != bits / 8)
            throw Damaged(file, $"tensor {property.Name} lies at {begin} to {end}, but has {elements} elements of {typeName}");
        return new TensorInfo(property.Name, type, shape, elements, begin);
    }
}
