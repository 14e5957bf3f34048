using System.Runtime.InteropServices;
using System.Text;

namespace Microsoft.ML.Moe.Benchmarks.References;

/// <summary>How a tensor's numbers are stored, by the numbers that the format has for it.</summary>
internal enum GgufType : uint
{
    /// <summary>Single precision.</summary>
    Float32 = 0,

    /// <summary>Four bits, and a half-precision scale for each 32 of a row.</summary>
    Q4 = 2,

    /// <summary>Eight bits, and a half-precision scale for each 32 of a row.</summary>
    Q8 = 8,

    /// <summary>The upper half of single precision.</summary>
    BFloat16 = 30,
}

/// <summary>A tensor of a file.</summary>
/// <param name="Name">Name.</param>
/// <param name="Shape">Sizes, the one of a row last.</param>
/// <param name="Type">How it is stored.</param>
/// <param name="Bits">Its numbers in bfloat16, row by row.</param>
internal sealed record GgufTensor(string Name, int[] Shape, GgufType Type, Func<ushort[]> Bits)
{
    private const int Block = 32;
    private const int LargestQ8 = 127;
    private const int LargestQ4 = 8;

    /// <summary>Bytes in the file.</summary>
    public long Bytes
    {
        get
        {
            var count = Shape.Aggregate(1L, (product, size) => product * size);
            return Type switch
            {
                GgufType.Float32 => 4 * count,
                GgufType.BFloat16 => 2 * count,
                GgufType.Q8 => count / Block * (2 + Block),
                _ => count / Block * (2 + Block / 2),
            };
        }
    }

    /// <summary>Writes its numbers.</summary>
    public void Write(BinaryWriter writer)
    {
        var bits = Bits();
        switch (Type)
        {
            case GgufType.BFloat16:
                writer.Write(MemoryMarshal.AsBytes(bits.AsSpan()));
                break;
            case GgufType.Float32:
                foreach (var number in bits)
                    writer.Write(Widened(number));
                break;
            default:
                Span<float> block = stackalloc float[Block];
                for (var at = 0; at < bits.Length; at += Block)
                {
                    for (var i = 0; i < Block; i++)
                        block[i] = Widened(bits[at + i]);
                    if (Type == GgufType.Q8)
                        WriteQ8(writer, block);
                    else
                        WriteQ4(writer, block);
                }

                break;
        }
    }

    private static float Widened(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    // the number that is farthest from zero, with its sign
    private static float Largest(ReadOnlySpan<float> block)
    {
        var largest = 0f;
        foreach (var number in block)
            largest = MathF.MaxMagnitude(largest, number);
        return largest;
    }

    private static void WriteQ8(BinaryWriter writer, ReadOnlySpan<float> block)
    {
        var scale = MathF.Abs(Largest(block)) / LargestQ8;
        writer.Write((Half)scale);
        foreach (var number in block)
            writer.Write((sbyte)(scale == 0 ? 0 : MathF.Round(number / scale)));
    }

    // Sixteen steps, of which the largest number is the eighth below zero; numbers i and i + 16 share a byte.
    private static void WriteQ4(BinaryWriter writer, ReadOnlySpan<float> block)
    {
        var scale = Largest(block) / -LargestQ4;
        writer.Write((Half)scale);
        for (var i = 0; i < Block / 2; i++)
            writer.Write((byte)(Step(block[i]) | (Step(block[i + Block / 2]) << 4)));

        int Step(float number) => scale == 0 ? LargestQ4 : (int)Math.Clamp(MathF.Round(number / scale) + LargestQ4, 0, 2 * LargestQ4 - 1);
    }
}

/// <summary>Files that llama.cpp reads: GGUF, version 3.</summary>
internal static class GgufFile
{
    private const uint Magic = 0x46554747;
    private const uint Version = 3;
    private const int Alignment = 32;

    /// <summary>Writes a file.</summary>
    /// <param name="path">Path.</param>
    /// <param name="metadata">What is said of the model: texts, whole numbers and numbers in single precision.</param>
    /// <param name="tensors">Its tensors.</param>
    public static void Write(string path, IReadOnlyList<(string Key, object Value)> metadata, IReadOnlyList<GgufTensor> tensors)
    {
        using var writer = new BinaryWriter(File.Create(path));
        writer.Write(Magic);
        writer.Write(Version);
        writer.Write((ulong)tensors.Count);
        writer.Write((ulong)metadata.Count);
        foreach (var (key, value) in metadata)
        {
            Write(writer, key);
            WriteValue(writer, value);
        }

        var offset = 0L;
        foreach (var tensor in tensors)
        {
            Write(writer, tensor.Name);
            writer.Write((uint)tensor.Shape.Length);
            foreach (var size in tensor.Shape.Reverse())
                writer.Write((ulong)size);
            writer.Write((uint)tensor.Type);
            writer.Write((ulong)offset);
            offset = Aligned(offset + tensor.Bytes);
        }

        foreach (var tensor in tensors)
        {
            Fill(writer);
            tensor.Write(writer);
        }

        Fill(writer);
    }

    private static long Aligned(long bytes) => (bytes + Alignment - 1) / Alignment * Alignment;

    private static void Fill(BinaryWriter writer)
    {
        writer.Flush();
        var at = writer.BaseStream.Position;
        writer.Write(new byte[Aligned(at) - at]);
    }

    private static void Write(BinaryWriter writer, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }

    // each value after the number of its type
    private static void WriteValue(BinaryWriter writer, object value)
    {
        switch (value)
        {
            case int number:
                writer.Write(4u);
                writer.Write((uint)number);
                break;
            case float number:
                writer.Write(6u);
                writer.Write(number);
                break;
            case string text:
                writer.Write(8u);
                Write(writer, text);
                break;
            default:
                throw new ArgumentException($"Values of {value.GetType().Name} are not written.", nameof(value));
        }
    }
}
