namespace Microsoft.ML.Moe.Files;

/// <summary>A tensor in a file.</summary>
/// <param name="Name">Unique within the file, and within its fellow shards.</param>
/// <param name="Type">Type of the elements.</param>
/// <param name="Shape">Sizes of the dimensions, outermost first; none for a single number.</param>
/// <param name="Elements">Product of the sizes; their bytes fit a <see cref="long"/>.</param>
/// <param name="Offset">Where the elements begin, in bytes from the end of the header.</param>
internal sealed record TensorInfo(string Name, TensorType Type, int[] Shape, long Elements, long Offset)
{
    /// <summary>Bytes of the elements, row-major and little-endian.</summary>
    public long Bytes => Elements / 8 * Type.BitsOf() + Elements % 8 * Type.BitsOf() / 8;

    /// <summary>The shape as text: [3, 4].</summary>
    public string ShapeText => TextOf(Shape);

    /// <summary>Elements of a shape.</summary>
    public static long Product(ReadOnlySpan<int> shape)
    {
        var product = 1L;
        foreach (var size in shape)
            product = checked(product * size);
        return product;
    }

    /// <summary>A shape as text: [3, 4].</summary>
    public static string TextOf(ReadOnlySpan<int> shape) => $"[{string.Join(", ", shape.ToArray())}]";
}
