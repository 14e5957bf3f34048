using System.Runtime.InteropServices;
using Microsoft.ML.Moe.Onnx.Format;

namespace Microsoft.ML.Moe.Onnx.Graph;

/// <summary>Constant numbers of a graph. They are fetched when the file is written, so that a large model is not in memory twice.</summary>
/// <param name="Name">Name of the value.</param>
/// <param name="Type">Type of its elements.</param>
/// <param name="Shape">Sizes of the dimensions.</param>
/// <param name="ElementSize">Bytes of an element.</param>
/// <param name="Read">Gives the elements as little-endian bytes.</param>
internal sealed record Initializer(string Name, TensorProto.Types.DataType Type, long[] Shape, int ElementSize, Func<byte[]> Read)
{
    /// <summary>Number of bytes.</summary>
    public long Bytes => Shape.Aggregate((long)ElementSize, (product, size) => checked(product * size));

    /// <summary>Numbers in single precision.</summary>
    public static Initializer Of(string name, long[] shape, Func<float[]> read) =>
        new(name, TensorProto.Types.DataType.Float, shape, sizeof(float), () => BytesOf<float>(read()));

    /// <summary>Numbers in double precision.</summary>
    public static Initializer Of(string name, long[] shape, double[] values) =>
        new(name, TensorProto.Types.DataType.Double, shape, sizeof(double), () => BytesOf<double>(values));

    /// <summary>Whole numbers.</summary>
    public static Initializer Of(string name, long[] shape, long[] values) =>
        new(name, TensorProto.Types.DataType.Int64, shape, sizeof(long), () => BytesOf<long>(values));

    private static byte[] BytesOf<T>(ReadOnlySpan<T> values)
        where T : unmanaged => BitConverter.IsLittleEndian
            ? MemoryMarshal.AsBytes(values).ToArray()
            : throw new PlatformNotSupportedException("ONNX files are little-endian, and so must the machine be that writes them.");
}
