namespace Microsoft.ML.Moe.Files;

/// <summary>
/// A tensor put together of parts of others: what <see cref="WeightRules"/> make of a source's tensors, before anything is read.
/// </summary>
/// <param name="Shape">Sizes of the dimensions.</param>
/// <param name="Pieces">What fills it.</param>
internal sealed record TensorBlock(int[] Shape, IReadOnlyList<TensorBlock.Piece> Pieces)
{
    /// <summary>A whole tensor.</summary>
    public static TensorBlock Of(TensorInfo tensor) => Of(tensor, tensor.Shape);

    /// <summary>A whole tensor in another shape of as many elements, in their order.</summary>
    public static TensorBlock Of(TensorInfo tensor, int[] shape)
    {
        var strides = Strides(shape);
        Dimension[] dimensions = [.. shape.Select((size, axis) => new Dimension(size, strides[axis], axis, 1))];
        return new TensorBlock(shape, [new Piece(tensor, 0, 0, new int[strides.Length], dimensions)]);
    }

    /// <summary>
    /// The kernel [O, I, k, k] of a convolution as a matrix [k·k·I, O], whose rows go over the window's pixels, and within these over the
    /// channels.
    /// </summary>
    /// <param name="tensor">The kernel.</param>
    public static TensorBlock Kernel(TensorInfo tensor)
    {
        var (outputs, inputs, side) = (tensor.Shape[0], tensor.Shape[1], tensor.Shape[2]);
        var strides = Strides(tensor.Shape);
        Dimension[] dimensions =
        [
            new(outputs, strides[0], 1, 1),
            new(inputs, strides[1], 0, 1),
            new(side, strides[2], 0, side * inputs),
            new(side, strides[3], 0, inputs),
        ];
        return new TensorBlock([side * side * inputs, outputs], [new Piece(tensor, 0, 0, [0, 0], dimensions)]);
    }

    /// <summary>One number everywhere.</summary>
    public static TensorBlock Of(float value, int[] shape) => new(shape, [new Piece(null, value, 0, [], [])]);

    /// <summary>The transposes of the matrices in the last two dimensions; null where there are not two.</summary>
    public TensorBlock? Transposed()
    {
        if (Shape.Length < 2)
            return null;
        var last = Shape.Length - 1;
        int[] axes = [.. Enumerable.Range(0, last - 1), last, last - 1];
        return new TensorBlock(
            [.. axes.Select(axis => Shape[axis])],
            [.. Pieces.Select(p => p with
            {
                Start = [.. axes.Select(axis => p.Start[axis])],
                Dimensions = [.. p.Dimensions.Select(d => d with { Axis = axes[d.Axis] })],
            })]);
    }

    /// <summary>
    /// Part of a whole tensor: in each of the equal groups that a dimension has, some places in a row. null where the dimension cannot be
    /// divided so.
    /// </summary>
    /// <param name="tensor">The tensor.</param>
    /// <param name="axis">The dimension.</param>
    /// <param name="groups">Number of groups.</param>
    /// <param name="part">Number of the part within each group.</param>
    /// <param name="parts">Number of equal parts of each group.</param>
    public static TensorBlock? Slice(TensorInfo tensor, int axis, int groups, int part, int parts)
    {
        if (axis >= tensor.Shape.Length || tensor.Shape[axis] % (groups * parts) != 0)
            return null;
        var length = tensor.Shape[axis] / groups / parts;
        return Run(tensor, axis, groups, part * length, length, parts * length);
    }

    /// <summary>
    /// Part of a whole tensor: in each of the equal groups that a dimension has, some places in a row. null where the dimension has not as
    /// many places.
    /// </summary>
    /// <param name="tensor">The tensor.</param>
    /// <param name="axis">The dimension.</param>
    /// <param name="groups">Number of groups.</param>
    /// <param name="first">First place within each group.</param>
    /// <param name="length">Number of places.</param>
    /// <param name="groupLength">Places of a group.</param>
    public static TensorBlock? Run(TensorInfo tensor, int axis, int groups, int first, int length, int groupLength)
    {
        if (axis >= tensor.Shape.Length || tensor.Shape[axis] != (long)groups * groupLength)
            return null;
        var whole = Of(tensor).Pieces[0];
        var stride = whole.Dimensions[axis].SourceStride;
        List<Dimension> dimensions = [.. whole.Dimensions.Where(d => d.Axis != axis)];
        dimensions.Add(new Dimension(groups, stride * groupLength, axis, length));
        dimensions.Add(new Dimension(length, stride, axis, 1));
        int[] shape = [.. tensor.Shape];
        shape[axis] = groups * length;
        return new TensorBlock(shape, [whole with { First = stride * first, Dimensions = dimensions }]);
    }

    /// <summary>Blocks side by side along a dimension; null where they do not fit.</summary>
    public static TensorBlock? Concat(IReadOnlyList<TensorBlock> blocks, int axis)
    {
        int[] shape = [.. blocks[0].Shape];
        if (axis >= shape.Length)
            return null;
        shape[axis] = 0;
        var pieces = new List<Piece>();
        foreach (var block in blocks)
        {
            if (block.Shape.Length != shape.Length || block.Shape.Where((size, i) => i != axis && size != shape[i]).Any())
                return null;
            pieces.AddRange(block.Pieces.Select(p => p with { Start = [.. p.Start.Select((s, i) => i == axis ? s + shape[axis] : s)] }));
            shape[axis] = checked(shape[axis] + block.Shape[axis]);
        }

        return new TensorBlock(shape, pieces);
    }

    /// <summary>Blocks of one shape along a new first dimension; null where their shapes differ.</summary>
    public static TensorBlock? Stack(IReadOnlyList<TensorBlock> blocks)
    {
        if (blocks.Any(b => !b.Shape.AsSpan().SequenceEqual(blocks[0].Shape)))
            return null;
        return new TensorBlock(
            [blocks.Count, .. blocks[0].Shape],
            [.. blocks.SelectMany((block, number) => block.Pieces.Select(p => p with
            {
                Start = [number, .. p.Start],
                Dimensions = [.. p.Dimensions.Select(d => d with { Axis = d.Axis + 1 })],
            }))]);
    }

    /// <summary>Distances of the elements along each dimension of a row-major tensor.</summary>
    public static long[] Strides(ReadOnlySpan<int> shape)
    {
        var strides = new long[shape.Length];
        var stride = 1L;
        for (var axis = shape.Length - 1; axis >= 0; axis--)
        {
            strides[axis] = stride;
            stride *= shape[axis];
        }

        return strides;
    }

    /// <summary>Elements of one tensor within a block.</summary>
    /// <param name="Tensor">The tensor; null for one number everywhere.</param>
    /// <param name="Value">That number.</param>
    /// <param name="First">Number of the tensor's element that comes first.</param>
    /// <param name="Start">Where that one stands in the block.</param>
    /// <param name="Dimensions">Which others follow it, and where.</param>
    internal sealed record Piece(TensorInfo? Tensor, float Value, long First, int[] Start, IReadOnlyList<Dimension> Dimensions);

    /// <summary>Elements at equal distances.</summary>
    /// <param name="Size">How many.</param>
    /// <param name="SourceStride">Their distance in the tensor.</param>
    /// <param name="Axis">The block's dimension along which they stand.</param>
    /// <param name="Step">Their distance along it.</param>
    internal readonly record struct Dimension(int Size, long SourceStride, int Axis, int Step);
}
