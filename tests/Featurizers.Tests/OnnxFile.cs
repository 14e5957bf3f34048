using System.Text;

namespace Microsoft.ML.Moe.Tests.Featurizers;

/// <summary>Writes a graph of one operation as an ONNX file: the few fields of onnx.proto that it takes, as protobuf.</summary>
internal static class OnnxFile
{
    private const int Version = 8;
    private const int Operators = 13;
    private const int SinglePrecision = 1;

    /// <summary>A graph with an input <c>x</c> and an output <c>y</c>, vectors of single precision.</summary>
    /// <param name="operation">Name of the operation, of one input of any shape.</param>
    /// <param name="size">Size of the vectors.</param>
    public static byte[] Of(string operation, int size)
    {
        byte[] node = [.. Text(1, "x"), .. Text(2, "y"), .. Text(4, operation)];
        byte[] graph = [.. Bytes(1, node), .. Text(2, "graph"), .. Bytes(11, Value("x", size)), .. Bytes(12, Value("y", size))];
        return [.. Number(1, Version), .. Bytes(7, graph), .. Bytes(8, Number(2, Operators))];
    }

    private static byte[] Value(string name, int size)
    {
        byte[] shape = [.. Bytes(1, Number(1, 1)), .. Bytes(1, Number(1, size))];
        return [.. Text(1, name), .. Bytes(2, Bytes(1, [.. Number(1, SinglePrecision), .. Bytes(2, shape)]))];
    }

    private static byte[] Text(int field, string value) => Bytes(field, Encoding.UTF8.GetBytes(value));

    private static byte[] Bytes(int field, byte[] value) => [.. Integer((field << 3) | 2), .. Integer(value.Length), .. value];

    private static byte[] Number(int field, int value) => [.. Integer(field << 3), .. Integer(value)];

    private static IEnumerable<byte> Integer(int value)
    {
        for (; value >= 0x80; value >>= 7)
            yield return (byte)(value | 0x80);
        yield return (byte)value;
    }
}
