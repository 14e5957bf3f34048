using System.Buffers.Binary;

namespace Microsoft.ML.Moe.Tests.Fuzzing.Mutation;

/// <summary>Changes bytes of any file: bits, numbers at the edges of their ranges, blocks that move, double or vanish.</summary>
internal static class ByteMutation
{
    private static readonly long[] Edges =
    [
        0, 1, -1, 2, 7, 8, 127, 128, 255, 256, 32767, 32768, 65535, 65536, int.MaxValue, int.MinValue, uint.MaxValue, 1L << 32,
        long.MaxValue, long.MinValue, 0x7F800000, 0x7FC00000, 0xFF800000, 0x7F7FFFFF,
    ];

    /// <inheritdoc cref="Mutator"/>
    public static byte[] Apply(byte[] content, Random random)
    {
        if (content.Length == 0)
            return [.. Bytes(random, random.Next(1, 9))];
        var (at, length) = Part(content.Length, random);
        return random.Next(9) switch
        {
            0 => Changed(content, at, (byte)(content[at] ^ 1 << random.Next(8))),
            1 => Changed(content, at, (byte)random.Next(256)),
            2 => Number(content, at, random),
            3 => content[..at],
            4 => [.. content[..at], .. content[(at + length)..]],
            5 => [.. content[..at], .. Bytes(random, random.Next(1, 17)), .. content[at..]],
            6 => [.. content[..(at + length)], .. content[at..]],
            7 => Copied(content, at, length, random.Next(content.Length)),
            _ => Changed(content, at, (byte)(content[at] + (random.Next(2) == 0 ? 1 : -1))),
        };
    }

    private static byte[] Bytes(Random random, int count)
    {
        var bytes = new byte[count];
        if (random.Next(3) > 0)
            random.NextBytes(bytes);
        return bytes;
    }

    // the beginning, where headers are, as often as all the rest
    private static (int At, int Length) Part(int length, Random random)
    {
        var at = random.Next(random.Next(2) == 0 ? Math.Min(length, 64) : length);
        return (at, Math.Min(length - at, 1 + random.Next(random.Next(2) == 0 ? 8 : 256)));
    }

    private static byte[] Changed(byte[] content, int at, byte value)
    {
        var changed = (byte[])content.Clone();
        changed[at] = value;
        return changed;
    }

    private static byte[] Copied(byte[] content, int from, int length, int to)
    {
        var changed = (byte[])content.Clone();
        content.AsSpan(from, Math.Min(length, content.Length - to)).CopyTo(changed.AsSpan(to));
        return changed;
    }

    private static byte[] Number(byte[] content, int at, Random random)
    {
        var size = 1 << random.Next(4);
        var number = Edges[random.Next(Edges.Length)];
        var bytes = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        Array.Resize(ref bytes, size);
        if (random.Next(2) == 0)
            Array.Reverse(bytes);
        var changed = (byte[])content.Clone();
        bytes.AsSpan(0, Math.Min(size, content.Length - at)).CopyTo(changed.AsSpan(at));
        return changed;
    }
}
