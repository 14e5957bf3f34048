using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.ML.Moe.Onnx.Format;

namespace Microsoft.ML.Moe.Onnx.Graph;

/// <summary>
/// Constant numbers of a graph. They are read when the file is written, a part at a time, so that a large model is not in memory twice.
/// </summary>
/// <param name="Name">Name of the value.</param>
/// <param name="Type">Type of its elements.</param>
/// <param name="Shape">Sizes of the dimensions.</param>
/// <param name="ElementSize">Bytes of an element.</param>
/// <param name="WriteTo">Writes the elements as little-endian bytes, as many as the shape has.</param>
internal sealed record Initializer(string Name, TensorProto.Types.DataType Type, long[] Shape, int ElementSize, Action<Stream> WriteTo)
{
    /// <summary>Number of bytes.</summary>
    public long Bytes => Shape.Aggregate((long)ElementSize, (product, size) => checked(product * size));

    /// <summary>Numbers in single precision.</summary>
    /// <param name="name">Name of the value.</param>
    /// <param name="shape">Sizes of the dimensions.</param>
    /// <param name="parts">The elements, row-major; a part is not looked at any more when the next is asked for.</param>
    public static Initializer Of(string name, long[] shape, IEnumerable<ReadOnlyMemory<float>> parts) =>
        Of(name, TensorProto.Types.DataType.Float, shape, parts);

    /// <summary>Numbers in double precision.</summary>
    public static Initializer Of(string name, long[] shape, double[] values) => Of<double>(name, TensorProto.Types.DataType.Double, shape, [values]);

    /// <summary>Whole numbers.</summary>
    public static Initializer Of(string name, long[] shape, long[] values) => Of<long>(name, TensorProto.Types.DataType.Int64, shape, [values]);

    private static Initializer Of<T>(string name, TensorProto.Types.DataType type, long[] shape, IEnumerable<ReadOnlyMemory<T>> parts)
        where T : unmanaged => new(name, type, shape, Unsafe.SizeOf<T>(), stream =>
        {
            if (!BitConverter.IsLittleEndian)
                throw new PlatformNotSupportedException("ONNX files are little-endian, and so must the machine be that writes them.");
            foreach (var part in parts)
                stream.Write(MemoryMarshal.AsBytes(part.Span));
        });
}
