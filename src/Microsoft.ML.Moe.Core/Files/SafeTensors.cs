using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Files;

/// <summary>
/// The safetensors format: eight bytes with the header's length (little-endian), a JSON header
/// <c>{ name: { "dtype", "shape", "data_offsets": [begin, end] } }</c>, then the data. Read with distrust: every length is checked
/// against the others before anything is allocated, and no more is allocated than the stream has delivered.
/// </summary>
internal sealed class SafeTensors
{
    private const int MaximumHeader = 16 << 20;
    private const int MaximumRank = 8;
    private const int ChunkBytes = 1 << 22;
    private readonly Dictionary<string, (int[] Shape, float[] Values)> _tensors = [];

    /// <summary>Writes parameters as 32-bit floats, in their order.</summary>
    public static void Write(Stream stream, IReadOnlyList<Parameter> parameters) => Write(
        stream, [.. parameters.Select(p => (p.Name, p.Value.Shape.ToArray(), (Func<float[]>)p.Value.ToArray))]);

    /// <summary>Writes values as 32-bit floats, in their order.</summary>
    public static void Write(Stream stream, IReadOnlyList<NamedValues> tensors) =>
        Write(stream, [.. tensors.Select(t => (t.Name, t.Shape, (Func<float[]>)(() => [.. t.Values])))]);

    private static void Write(Stream stream, IReadOnlyList<(string Name, int[] Shape, Func<float[]> Copy)> tensors)
    {
        using var header = new MemoryStream();
        using (var json = new Utf8JsonWriter(header))
        {
            var offset = 0L;
            json.WriteStartObject();
            foreach (var (name, shape, _) in tensors)
            {
                json.WriteStartObject(name);
                json.WriteString("dtype", "F32");
                json.WriteStartArray("shape");
                foreach (var size in shape)
                    json.WriteNumberValue(size);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset += shape.Aggregate(4L, (product, size) => product * size));
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        // the format asks for data aligned to eight bytes; spaces may follow the header
        while (header.Length % 8 != 0)
            header.WriteByte((byte)' ');
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        stream.Write(length);
        stream.Write(header.GetBuffer().AsSpan(0, (int)header.Length));
        foreach (var (_, _, copy) in tensors)
        {
            var values = copy();
            ToLittleEndian(values);
            var bytes = MemoryMarshal.AsBytes<float>(values);
            for (var done = 0; done < bytes.Length; done += ChunkBytes)
                stream.Write(bytes.Slice(done, Math.Min(ChunkBytes, bytes.Length - done)));
        }
    }

    /// <summary>Reads all tensors of 32-bit floats.</summary>
    /// <exception cref="InvalidDataException">The stream is not such a file, or it is cut off.</exception>
    public static SafeTensors Read(Stream stream)
    {
        var result = new SafeTensors();
        var entries = ReadHeader(stream);
        var position = 0L;
        foreach (var (name, shape, begin, end) in entries)
        {
            if (begin != position)
                throw Damaged($"tensor {name} begins at byte {begin}, not {position}");
            result._tensors.Add(name, (shape, ReadValues(stream, (int)((end - begin) / 4), name)));
            position = end;
        }

        if (stream.ReadByte() >= 0)
            throw Damaged("there is data after the last tensor");
        return result;
    }

    /// <summary>Hands out a tensor's values, once.</summary>
    /// <param name="name">Name.</param>
    /// <param name="shape">The shape that it must have.</param>
    /// <exception cref="InvalidDataException">There is no such tensor, or its shape differs.</exception>
    public float[] Take(string name, int[] shape)
    {
        if (!_tensors.Remove(name, out var tensor))
            throw Damaged($"tensor {name} is missing");
        if (!tensor.Shape.AsSpan().SequenceEqual(shape))
            throw Damaged($"tensor {name} has shape [{string.Join(", ", tensor.Shape)}], not [{string.Join(", ", shape)}]");
        return tensor.Values;
    }

    /// <summary>Hands out all tensors that are left.</summary>
    public IReadOnlyDictionary<string, NamedValues> TakeAll()
    {
        var all = _tensors.ToDictionary(t => t.Key, t => new NamedValues(t.Key, t.Value.Shape, t.Value.Values));
        _tensors.Clear();
        return all;
    }

    /// <summary>Checks that nothing is left.</summary>
    /// <exception cref="InvalidDataException">A tensor was not taken.</exception>
    public void CheckAllTaken()
    {
        if (_tensors.Count > 0)
            throw Damaged($"tensor {_tensors.Keys.First()} does not belong to the model");
    }

    private static List<(string Name, int[] Shape, long Begin, long End)> ReadHeader(Stream stream)
    {
        try
        {
            Span<byte> lengthBytes = stackalloc byte[8];
            stream.ReadExactly(lengthBytes);
            var length = BinaryPrimitives.ReadInt64LittleEndian(lengthBytes);
            if (length is < 2 or > MaximumHeader)
                throw Damaged($"its header claims {length} bytes");
            var header = new byte[length];
            stream.ReadExactly(header);
            using var json = JsonDocument.Parse(header);
            return [.. json.RootElement.EnumerateObject().Where(p => p.Name != "__metadata__").Select(ReadEntry).OrderBy(e => e.Begin)];
        }
        catch (Exception e) when (e is EndOfStreamException or JsonException or InvalidOperationException or FormatException
            or KeyNotFoundException or OverflowException)
        {
            throw Damaged("its header cannot be read", e);
        }
    }

    private static (string Name, int[] Shape, long Begin, long End) ReadEntry(JsonProperty property)
    {
        var type = property.Value.GetProperty("dtype").GetString();
        if (type != "F32")
            throw Damaged($"tensor {property.Name} has type {type}, not F32");
        var sizes = property.Value.GetProperty("shape");
        if (sizes.GetArrayLength() > MaximumRank)
            throw Damaged($"tensor {property.Name} has {sizes.GetArrayLength()} dimensions");
        int[] shape = [.. sizes.EnumerateArray().Select(s => s.GetInt32())];
        var elements = shape.Any(s => s < 0)
            ? throw Damaged($"tensor {property.Name} has a negative size")
            : shape.Aggregate(1L, (product, size) => checked(product * size));
        var offsets = property.Value.GetProperty("data_offsets");
        var (begin, end) = (offsets[0].GetInt64(), offsets[1].GetInt64());
        if (begin < 0 || elements > int.MaxValue || end - begin != elements * 4)
            throw Damaged($"tensor {property.Name} lies at {begin} to {end}, but has {elements} elements");
        return (property.Name, shape, begin, end);
    }

    private static float[] ReadValues(Stream stream, int count, string name)
    {
        // grows with what arrives: a header cannot claim memory that the file does not fill
        var values = new float[Math.Min(count, ChunkBytes / 4)];
        var filled = 0;
        while (filled < count)
        {
            if (filled == values.Length)
                Array.Resize(ref values, (int)Math.Min(count, 2L * values.Length));
            var room = MemoryMarshal.AsBytes(values.AsSpan(filled));
            if (stream.ReadAtLeast(room, room.Length, throwOnEndOfStream: false) < room.Length)
                throw Damaged($"it ends within tensor {name}");
            filled = values.Length;
        }

        ToLittleEndian(values);
        return values;
    }

    private static void ToLittleEndian(float[] values)
    {
        var bits = MemoryMarshal.Cast<float, int>(values.AsSpan());
        if (!BitConverter.IsLittleEndian)
            BinaryPrimitives.ReverseEndianness(bits, bits);
    }

    private static InvalidDataException Damaged(string what, Exception? cause = null) =>
        new($"Weights.safetensors is damaged or not of this library: {what}.", cause);
}
