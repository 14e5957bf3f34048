using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Files;

/// <summary>A tensor to be written, in single precision, in bfloat16, or as whole numbers of one byte.</summary>
/// <param name="Name">Unique within the file.</param>
/// <param name="Shape">Sizes of the dimensions, outermost first.</param>
/// <param name="Type">Type of the elements in the file.</param>
/// <param name="Values">Gives the numbers, row-major, in single precision.</param>
/// <param name="Bits">Gives the bits of numbers that are in bfloat16 already; null where the others are to be rounded.</param>
/// <param name="Numbers">Gives the whole numbers of a tensor in int8; null for other types.</param>
internal sealed record SavedTensor(
    string Name, int[] Shape, ElementType Type, Func<float[]> Values, Func<ushort[]>? Bits = null, Func<sbyte[]>? Numbers = null)
{
    /// <summary>What the name of the scales of an int8 tensor ends with, after the tensor's own.</summary>
    public const string Scales = ".scales";

    /// <summary>Type of the elements, as the file names it.</summary>
    public TensorType FileType => Type switch
    {
        ElementType.Float32 => TensorType.F32,
        ElementType.BFloat16 => TensorType.BF16,
        _ => TensorType.I8,
    };

    /// <summary>Bytes of the elements.</summary>
    public long Bytes => Shape.Aggregate(FileType.BitsOf() / 8L, (product, size) => checked(product * size));

    /// <summary>
    /// A parameter as it is, so that nothing is lost: of one in int8 the whole numbers [.., O, I], the rows in their order in memory, and the
    /// scales, whose shape [.., O, 1] or, of matrices [.., I, O] that are transposed in memory, [.., 1, O] tells where a scale counts.
    /// </summary>
    public static IEnumerable<SavedTensor> AllOf(Parameter parameter)
    {
        if (parameter.Value.Stored is not { Type: ElementType.Int8 } stored)
            return [Of(parameter)];
        int[] outer = [.. parameter.Value.Shape[..^2]];
        var (rows, length) = stored.IsTransposed ? (stored.Columns, stored.Rows) : (stored.Rows, stored.Columns);
        return
        [
            new SavedTensor(parameter.Name, [.. outer, rows, length], ElementType.Int8, parameter.Value.ToArray, Numbers: stored.ToNumbers),
            new SavedTensor(
                parameter.Name + Scales,
                stored.IsTransposed ? [.. outer, 1, rows] : [.. outer, rows, 1],
                ElementType.Float32,
                stored.ToScales),
        ];
    }

    /// <summary>A parameter, in the type of its elements; one in int8, which files do not have, in single precision.</summary>
    public static SavedTensor Of(Parameter parameter) => parameter.Value.ElementType == ElementType.BFloat16
        ? new SavedTensor(
            parameter.Name, parameter.Value.Shape.ToArray(), ElementType.BFloat16, parameter.Value.ToArray, parameter.Value.ToBFloat16Array)
        : new SavedTensor(parameter.Name, parameter.Value.Shape.ToArray(), ElementType.Float32, parameter.Value.ToArray);

    /// <summary>A parameter, in another type than that of its elements, perhaps.</summary>
    public static SavedTensor Of(Parameter parameter, ElementType type) => parameter.Value.ElementType == type
        ? Of(parameter)
        : new SavedTensor(parameter.Name, parameter.Value.Shape.ToArray(), type, parameter.Value.ToArray);

    /// <summary>Numbers in single precision.</summary>
    public static SavedTensor Of(NamedValues values) => new(values.Name, values.Shape, ElementType.Float32, () => values.Values);
}

/// <summary>Writes safetensors files and checkpoint folders of several.</summary>
internal static class SafeTensorsWriter
{
    private const int ChunkBytes = 1 << 22;
    private static readonly Dictionary<string, string> PythonMetadata = new() { ["format"] = "pt" };

    /// <summary>Writes tensors in their order; one of them at a time is in memory.</summary>
    /// <param name="stream">Receives the file.</param>
    /// <param name="tensors">The tensors.</param>
    /// <param name="metadata">What the file says of itself; null for nothing.</param>
    public static void Write(Stream stream, IReadOnlyList<SavedTensor> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        SafeTensorsHeader.Write(
            stream, tensors.Select(t => (t.Name, t.FileType, t.Shape)), metadata);
        foreach (var tensor in tensors)
        {
            if (tensor.Type == ElementType.Float32)
                WriteChunks<float>(stream, tensor.Values(), TensorValues.FromSingle);
            else if (tensor.Type == ElementType.Int8)
                WriteChunks<sbyte>(stream, tensor.Numbers!(), (numbers, bytes) => MemoryMarshal.AsBytes(numbers).CopyTo(bytes));
            else
                WriteChunks<ushort>(stream, tensor.Bits?.Invoke() ?? Rounded(tensor.Values()), TensorValues.FromBits);
        }
    }

    /// <summary>
    /// Writes a checkpoint folder as transformers reads it: <c>model.safetensors</c>, or, where the tensors take more than a shard may, an
    /// index and <c>model-00001-of-000NN.safetensors</c> and so on.
    /// </summary>
    /// <param name="folder">Exists.</param>
    /// <param name="tensors">The tensors, which fill the shards in their order.</param>
    /// <param name="shardBytes">Most bytes of tensors in a shard, which a larger tensor exceeds alone; null for one file.</param>
    /// <exception cref="IOException">A file cannot be written.</exception>
    public static void WriteFolder(string folder, IReadOnlyList<SavedTensor> tensors, long? shardBytes = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(shardBytes ?? 1, 1, nameof(shardBytes));
        var shards = Divide(tensors, shardBytes ?? long.MaxValue);
        if (shards.Count == 1)
        {
            WriteFile(Path.Combine(folder, "model.safetensors"), tensors);
            return;
        }

        var names = new string[shards.Count];
        for (var i = 0; i < shards.Count; i++)
        {
            names[i] = $"model-{i + 1:D5}-of-{shards.Count:D5}.safetensors";
            WriteFile(Path.Combine(folder, names[i]), shards[i]);
        }

        var shardOfTensor = shards.SelectMany((shard, i) => shard.Select(t => (t.Name, names[i])));
        AtomicFile.Write(
            Path.Combine(folder, "model.safetensors.index.json"),
            stream => ShardIndex.Write(stream, tensors.Sum(t => t.Bytes), shardOfTensor));
    }

    private static void WriteFile(string path, IReadOnlyList<SavedTensor> tensors) =>
        AtomicFile.Write(path, stream => Write(stream, tensors, PythonMetadata));

    private static List<List<SavedTensor>> Divide(IReadOnlyList<SavedTensor> tensors, long shardBytes)
    {
        List<List<SavedTensor>> shards = [[]];
        var bytes = 0L;
        foreach (var tensor in tensors)
        {
            if (shards[^1].Count > 0 && bytes > shardBytes - tensor.Bytes)
            {
                shards.Add([]);
                bytes = 0;
            }

            shards[^1].Add(tensor);
            bytes += tensor.Bytes;
        }

        return shards;
    }

    private static ushort[] Rounded(float[] values)
    {
        var bits = new ushort[values.Length];
        BFloat16.Round(values, bits);
        return bits;
    }

    private static void WriteChunks<T>(Stream stream, ReadOnlySpan<T> values, Action<ReadOnlySpan<T>, Span<byte>> toBytes)
        where T : unmanaged
    {
        var size = Unsafe.SizeOf<T>();
        var bytes = new byte[(int)Math.Min(ChunkBytes, (long)values.Length * size)];
        while (values.Length > 0)
        {
            var part = values[..Math.Min(bytes.Length / size, values.Length)];
            toBytes(part, bytes);
            stream.Write(bytes.AsSpan(0, part.Length * size));
            values = values[part.Length..];
        }
    }
}
