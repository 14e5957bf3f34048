using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Files;

/// <summary>
/// Finds the matrices of a <see cref="TensorBlock"/> in bfloat16 where they lie in mapped files: whole tensors, transposed tensors, experts
/// whose tensors are apart, and equal runs of a tensor's rows or columns need not be copied.
/// </summary>
internal static class MatrixViews
{
    /// <summary>The matrices of a block, those of its last two dimensions.</summary>
    /// <param name="source">Has the tensors.</param>
    /// <param name="block">All of it in bfloat16; two dimensions at least.</param>
    /// <returns>null where they have to be read.</returns>
    public static StoredMatrices? Of(TensorSource source, TensorBlock block)
    {
        if (StridesOf(block) is not { } strides || TransposedBy(strides, block.Shape) is not { } isTransposed)
            return null;
        var count = 1;
        foreach (var size in block.Shape[..^2])
            count = checked(count * size);
        var matrices = new (BFloat16Values Values, long First)[count];
        foreach (var piece in block.Pieces)
        {
            if (source.View(piece.Tensor!) is not { } view)
                return null;
            Place(piece, block.Shape, view, matrices);
        }

        var stride = (nint)(isTransposed ? strides.Column : strides.Row);
        return matrices.Any(m => m.Values is null) ? null : StoredMatrices.Of(block.Shape[^2], block.Shape[^1], isTransposed, stride, matrices);
    }

    /// <summary>Whether the tensors hold the transposes of the matrices; null where they hold neither these nor those, row by row.</summary>
    public static bool? AreTransposed(TensorBlock block) => StridesOf(block) is { } strides ? TransposedBy(strides, block.Shape) : null;

    private static bool? TransposedBy((long Row, long Column) strides, int[] shape)
    {
        if (strides.Column == 1 && strides.Row >= shape[^1])
            return false;
        return strides.Row == 1 && strides.Column >= shape[^2] ? true : null;
    }

    // Distances in the tensors of a matrix's rows and of its columns; null where they differ, or matrices are put together of parts.
    private static (long Row, long Column)? StridesOf(TensorBlock block)
    {
        var (rows, columns) = (block.Shape[^2], block.Shape[^1]);
        (long Row, long Column)? strides = null;
        foreach (var piece in block.Pieces)
        {
            if (piece.Tensor is null || StridesOf(piece, rows, columns) is not { } own || (strides ??= own) != own)
                return null;
        }

        return rows == 0 || columns == 0 ? null : strides;
    }

    // Distances in the tensor of a matrix's rows and of its columns; null where the piece is less than whole matrices, or they differ.
    private static (long Row, long Column)? StridesOf(TensorBlock.Piece piece, int rows, int columns)
    {
        var last = piece.Start.Length - 1;
        if (piece.Start[last] != 0 || piece.Start[last - 1] != 0)
            return null;
        if (StrideAlong(piece, last - 1, rows) is not { } row || StrideAlong(piece, last, columns) is not { } column)
            return null;

        // A dimension of one element has any distance: what makes its rows, or columns, whole.
        if (rows == 1)
            row = column == 1 ? columns : 1;
        if (columns == 1)
            column = row == 1 ? rows : 1;
        return (row, column);
    }

    // 0 for a dimension of one element.
    private static long? StrideAlong(TensorBlock.Piece piece, int axis, int size)
    {
        var (found, stride) = (1, 0L);
        foreach (var d in piece.Dimensions.Where(d => d.Axis == axis && d.Size > 1).OrderBy(d => d.Step))
        {
            if (d.Step != found || (found > 1 && d.SourceStride != found * stride))
                return null;
            if (found == 1)
                stride = d.SourceStride;
            found *= d.Size;
        }

        return found == size ? stride : null;
    }

    private static void Place(TensorBlock.Piece piece, int[] shape, BFloat16Values view, (BFloat16Values Values, long First)[] matrices)
    {
        var axes = shape.Length - 2;
        var strides = TensorBlock.Strides(shape.AsSpan(0, axes));
        var outer = piece.Dimensions.Where(d => d.Axis < axes).ToArray();
        var start = 0L;
        for (var axis = 0; axis < axes; axis++)
            start += piece.Start[axis] * strides[axis];
        PlaceFrom(0, start, piece.First);

        void PlaceFrom(int dimension, long matrix, long first)
        {
            if (dimension == outer.Length)
            {
                matrices[matrix] = (view, first);
                return;
            }

            var d = outer[dimension];
            for (var i = 0; i < d.Size; i++)
                PlaceFrom(dimension + 1, matrix + (long)i * d.Step * strides[d.Axis], first + i * d.SourceStride);
        }
    }
}
