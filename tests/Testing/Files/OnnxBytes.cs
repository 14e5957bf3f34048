using System.Text;

namespace Microsoft.ML.Moe.Tests.Files;

/// <summary>ONNX models made by hand: protobuf messages of field after field.</summary>
internal static class OnnxBytes
{
    public const int FloatType = 1;
    public const int HalfType = 10;
    public const int LongType = 7;

    /// <summary>A model with a graph of these nodes and initializers.</summary>
    public static byte[] Model(params byte[][] parts) =>
        [.. Number(1, 7), .. Bytes(2, "pytorch"), .. Bytes(7, [.. Bytes(2, "main"), .. parts.SelectMany(part => part)])];

    public static byte[] Node(string type, string[] inputs, string output, bool? transB = null)
    {
        byte[] attribute = transB is { } value ? Bytes(5, [.. Bytes(1, "transB"), .. Number(3, value ? 1 : 0), .. Number(20, 2)]) : [];
        return Bytes(
            1,
            [.. inputs.SelectMany(input => Bytes(1, input)), .. Bytes(2, output), .. Bytes(3, "a name"), .. Bytes(4, type), .. attribute]);
    }

    /// <summary>A tensor whose elements are 0.5, 1.5 and so on.</summary>
    public static byte[] Tensor(string name, int[] shape, bool isPacked = false, int type = FloatType) =>
        Tensor(name, [.. shape.Select(size => (long)size)], isPacked, type, Raw(shape));

    public static byte[] Tensor(string name, long[] shape, bool isPacked, int type, byte[]? raw, params byte[] more)
    {
        byte[] sizes = isPacked ? Bytes(1, [.. shape.SelectMany(Varint)]) : [.. shape.SelectMany(size => Number(1, size))];
        return Bytes(5, [.. sizes, .. Number(2, type), .. Bytes(8, name), .. raw is null ? [] : Bytes(9, raw), .. more]);
    }

    public static float[] Values(int[] shape) =>
        [.. Enumerable.Range(0, shape.Aggregate(1, (product, size) => product * size)).Select(i => i + 0.5f)];

    public static byte[] Raw(int[] shape) => [.. Values(shape).SelectMany(BitConverter.GetBytes)];

    public static byte[] Bytes(int field, byte[] content) => [.. Varint(field << 3 | 2), .. Varint(content.Length), .. content];

    public static byte[] Bytes(int field, string text) => Bytes(field, Encoding.UTF8.GetBytes(text));

    public static byte[] Number(int field, long value) => [.. Varint(field << 3), .. Varint(value)];

    public static byte[] Varint(long value)
    {
        List<byte> bytes = [];
        var rest = (ulong)value;
        for (; rest >= 0x80; rest >>= 7)
            bytes.Add((byte)(rest | 0x80));
        return [.. bytes, (byte)rest];
    }
}
