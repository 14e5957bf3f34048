using System.Buffers;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Files;

/// <summary>
/// Tensors of a safetensors stream, such as a zip's entry. Of a stream that can be read anywhere only the header is read, and each tensor
/// when it is asked for, so that one that nobody asks for takes no memory; of another all tensors are read into memory: bfloat16 as it is, all
/// else as 32-bit floats. Read with distrust: see <see cref="SafeTensorsHeader"/>; and no more is allocated than the stream has delivered.
/// </summary>
internal sealed class SafeTensors : TensorSource
{
    /// <summary>The entry with the weights in this library's zips.</summary>
    public const string WeightsEntry = "Weights.safetensors";

    private const int ChunkBytes = 1 << 22;
    private readonly Dictionary<string, TensorInfo> _tensors = [];
    private readonly Dictionary<string, Array> _values = [];
    private readonly Lock _lock = new();
    private Stream? _stream;
    private long _dataStart;

    private SafeTensors(string name) => Name = name;

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    /// <summary>Writes parameters in their order, in the type of their elements.</summary>
    public static void Write(Stream stream, IReadOnlyList<Parameter> parameters) =>
        SafeTensorsWriter.Write(stream, [.. parameters.Select(SavedTensor.Of)]);

    /// <summary>Writes values as 32-bit floats, in their order.</summary>
    public static void Write(Stream stream, IReadOnlyList<NamedValues> tensors) =>
        SafeTensorsWriter.Write(stream, [.. tensors.Select(SavedTensor.Of)]);

    /// <summary>Reads a stream.</summary>
    /// <param name="stream">Read to its end; one that can seek is read from when tensors are asked for, and not to be closed before.</param>
    /// <param name="name">What errors call it.</param>
    /// <exception cref="InvalidDataException">The stream is no such file, or cut off; the message names file and tensor.</exception>
    public static SafeTensors Read(Stream stream, string name = WeightsEntry)
    {
        var result = new SafeTensors(name);
        var header = ReadHeader(stream, name);
        if (stream.CanSeek)
        {
            var left = stream.Length - stream.Position;
            if (header.Tensors.FirstOrDefault(tensor => tensor.Offset + tensor.Bytes > left) is { } cutOff)
                throw EndsWithin(name, cutOff);
            if (left > header.DataBytes)
                throw ContinuesAfter(name);
            (result._stream, result._dataStart) = (stream, stream.Position);
        }

        foreach (var tensor in header.Tensors)
        {
            if (tensor.Elements > Array.MaxLength || !TensorValues.IsReadable(tensor.Type))
            {
                throw SafeTensorsHeader.Damaged(
                    name, $"tensor {tensor.Name} has {tensor.Elements} elements of {tensor.Type.NameOf()}, which cannot be held as numbers");
            }

            result._tensors.Add(tensor.Name, tensor);
            if (stream.CanSeek)
                continue;
            result._values.Add(tensor.Name, tensor.Type == TensorType.BF16
                ? ReadValues<ushort>(stream, tensor, name, TensorValues.ToBits)
                : ReadValues<float>(stream, tensor, name, (bytes, values) => TensorValues.ToSingle(tensor.Type, bytes, values)));
        }

        return stream.CanSeek || stream.ReadByte() < 0 ? result : throw ContinuesAfter(name);
    }

    /// <summary>Hands out a tensor's values, once.</summary>
    /// <param name="name">Name.</param>
    /// <param name="shape">The shape that it must have.</param>
    /// <exception cref="InvalidDataException">There is no such tensor, or its shape differs.</exception>
    public float[] Take(string name, int[] shape) => Take(Find(name, shape));

    /// <summary>Hands out a tensor of weights, once.</summary>
    /// <param name="name">Name.</param>
    /// <param name="shape">The shape that it must have.</param>
    /// <exception cref="InvalidDataException">There is no such tensor, its shape differs, or it holds what cannot be weights.</exception>
    public float[] TakeWeights(string name, int[] shape)
    {
        var values = Take(name, shape);
        WeightValues.Check(values, Name, name);
        return values;
    }

    /// <summary>Hands out a tensor of weights, once, to be read where they shall lie.</summary>
    /// <inheritdoc cref="TakeWeights"/>
    public FillValues TakeFill(string name, int[] shape)
    {
        var tensor = Find(name, shape);
        _tensors.Remove(name);
        return values =>
        {
            ReadSingle(tensor, 0, values);
            _values.Remove(name);
            WeightValues.Check(values, Name, name);
        };
    }

    /// <summary>Hands out all tensors that are left.</summary>
    public IReadOnlyDictionary<string, NamedValues> TakeAll() =>
        _tensors.Values.ToList().ToDictionary(t => t.Name, t => new NamedValues(t.Name, t.Shape, Take(t)));

    /// <summary>Checks that nothing is left.</summary>
    /// <exception cref="InvalidDataException">A tensor was not taken.</exception>
    public void CheckAllTaken()
    {
        if (_tensors.Count > 0)
            throw SafeTensorsHeader.Damaged(Name, $"tensor {_tensors.Keys.First()} does not belong to the model");
    }

    /// <inheritdoc/>
    protected override void ReadSingle(TensorInfo tensor, long first, Span<float> values)
    {
        if (_stream is not null)
            ReadFromStream(tensor, first, values, (bytes, part) => TensorValues.ToSingle(tensor.Type, bytes, part));
        else if (_values[tensor.Name] is float[] floats)
            floats.AsSpan((int)first, values.Length).CopyTo(values);
        else
            BFloat16.Widen(((ushort[])_values[tensor.Name]).AsSpan((int)first, values.Length), values);
    }

    /// <inheritdoc/>
    protected override void ReadBits(TensorInfo tensor, long first, Span<ushort> bits)
    {
        if (_stream is not null)
            ReadFromStream(tensor, first, bits, TensorValues.ToBits);
        else
            ((ushort[])_values[tensor.Name]).AsSpan((int)first, bits.Length).CopyTo(bits);
    }

    private static SafeTensorsHeader ReadHeader(Stream stream, string name)
    {
        Span<byte> lengthBytes = stackalloc byte[SafeTensorsHeader.LengthBytes];
        if (stream.ReadAtLeast(lengthBytes, lengthBytes.Length, throwOnEndOfStream: false) < lengthBytes.Length)
            throw SafeTensorsHeader.Damaged(name, "it ends before its header");
        var length = SafeTensorsHeader.LengthOf(lengthBytes, long.MaxValue, name);
        var json = Grow(length, 1, (byte[] bytes, int start, int count) =>
            stream.ReadAtLeast(bytes.AsSpan(start, count), count, throwOnEndOfStream: false) == count);
        return SafeTensorsHeader.Parse(json ?? throw SafeTensorsHeader.Damaged(name, "it ends within its header"), name);
    }

    private static T[] ReadValues<T>(Stream stream, TensorInfo tensor, string name, Convert<T> convert)
    {
        var size = tensor.Type.BitsOf() / 8;
        var bytes = new byte[Math.Min(ChunkBytes, tensor.Bytes)];
        var values = Grow((int)tensor.Elements, size, (T[] values, int start, int count) =>
        {
            for (var done = 0; done < count;)
            {
                var part = bytes.AsSpan(0, size * Math.Min(bytes.Length / size, count - done));
                if (stream.ReadAtLeast(part, part.Length, throwOnEndOfStream: false) < part.Length)
                    return false;
                convert(part, values.AsSpan(start + done, part.Length / size));
                done += part.Length / size;
            }

            return true;
        });
        return values ?? throw EndsWithin(name, tensor);
    }

    private void ReadFromStream<T>(TensorInfo tensor, long first, Span<T> values, Convert<T> convert)
    {
        var size = tensor.Type.BitsOf() / 8;
        var bytes = ArrayPool<byte>.Shared.Rent((int)Math.Min(ChunkBytes, (long)values.Length * size));
        try
        {
            var most = bytes.Length / size;
            for (var done = 0; done < values.Length;)
            {
                var part = values.Slice(done, Math.Min(most, values.Length - done));
                var read = bytes.AsSpan(0, part.Length * size);
                lock (_lock)
                {
                    _stream!.Position = _dataStart + tensor.Offset + (first + done) * size;
                    if (_stream.ReadAtLeast(read, read.Length, throwOnEndOfStream: false) < read.Length)
                        throw EndsWithin(Name, tensor);
                }

                convert(read, part);
                done += part.Length;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    // Grows with what arrives: a header cannot claim memory that the stream does not fill. null where the stream ends too early.
    private static T[]? Grow<T>(int count, int size, Func<T[], int, int, bool> fill)
    {
        var values = new T[Math.Min(count, ChunkBytes / size)];
        var filled = 0;
        while (true)
        {
            if (!fill(values, filled, values.Length - filled))
                return null;
            filled = values.Length;
            if (filled == count)
                return values;
            Array.Resize(ref values, (int)Math.Min(count, 2L * values.Length));
        }
    }

    private static InvalidDataException EndsWithin(string file, TensorInfo tensor) =>
        SafeTensorsHeader.Damaged(file, $"it ends within tensor {tensor.Name}");

    private static InvalidDataException ContinuesAfter(string file) => SafeTensorsHeader.Damaged(file, "there is data after the last tensor");

    private TensorInfo Find(string name, int[] shape)
    {
        if (!_tensors.TryGetValue(name, out var tensor))
            throw SafeTensorsHeader.Damaged(Name, $"tensor {name} is missing");
        return tensor.Shape.AsSpan().SequenceEqual(shape)
            ? tensor
            : throw SafeTensorsHeader.Damaged(Name, $"tensor {name} has shape {tensor.ShapeText}, not {TensorInfo.TextOf(shape)}");
    }

    private float[] Take(TensorInfo tensor)
    {
        var values = _values.GetValueOrDefault(tensor.Name) as float[];
        if (values is null)
            ReadSingle(tensor, 0, values = new float[tensor.Elements]);
        _tensors.Remove(tensor.Name);
        _values.Remove(tensor.Name);
        return values;
    }

    private delegate void Convert<T>(ReadOnlySpan<byte> bytes, Span<T> values);
}
