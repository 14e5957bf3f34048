namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// A first factor where products read it: for each block of k (<see cref="Gemm.DepthBlock"/>) its rows, <see cref="Stride"/> apart. The
/// last tile of <see cref="Kernels.TileRows"/> rows has room for all of them; what stands in those past the end does not matter.
/// </summary>
/// <param name="kernels">Inner loops.</param>
/// <param name="rows">Rows of the factor.</param>
/// <param name="depth">Columns of the factor, k.</param>
/// <param name="data"><see cref="Length"/> floats.</param>
internal readonly unsafe struct PackedRows(Kernels kernels, int rows, int depth, float* data)
{
    /// <summary>Floats between rows: constant, so that a tile has them in its instructions, and not a power of two.</summary>
    public const int Stride = Gemm.DepthBlock + MemoryBlock.Alignment;

    private const int RowsAhead = 16;

    private readonly int _paddedRows = Padded(kernels, rows);

    /// <summary>Rows of the factor.</summary>
    public int Rows => rows;

    /// <summary>Floats that the rows take.</summary>
    public static long Length(Kernels kernels, int rows, int depth) =>
        (long)Padded(kernels, rows) * Stride * ((depth + Gemm.DepthBlock - 1) / Gemm.DepthBlock);

    /// <summary>Packs rows of a matrix, in one block of k.</summary>
    /// <param name="source">The matrix.</param>
    /// <param name="firstRow">First row.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="firstK">Start of the block.</param>
    /// <param name="depth">Columns in the block.</param>
    /// <param name="target">Receives the block.</param>
    public static void PackBlock(in Matrix source, int firstRow, int rows, int firstK, int depth, float* target)
    {
        if (source.IsTransposed)
        {
            Packing.Transpose(source, firstK, depth, firstRow, rows, Stride, target);
            return;
        }

        for (var row = 0; row < rows; row++)
        {
            // Picked by number, or a part of longer rows: the processor cannot know where the next ones lie.
            if (row + RowsAhead < rows)
                Prefetch.Row(source.Row(firstRow + row + RowsAhead) + firstK, depth);
            new ReadOnlySpan<float>(source.Row(firstRow + row) + firstK, depth).CopyTo(new Span<float>(target + row * Stride, depth));
        }
    }

    /// <summary>Where a row's part of a block of k stands.</summary>
    /// <param name="row">The row.</param>
    /// <param name="firstK">Start of the block.</param>
    public float* Row(int row, int firstK) => data + ((long)firstK / Gemm.DepthBlock * _paddedRows + row) * Stride;

    /// <summary>Packs rows of a matrix as the whole factor.</summary>
    /// <param name="source">The matrix.</param>
    /// <param name="firstRow">First row.</param>
    public void Pack(in Matrix source, int firstRow)
    {
        for (var firstK = 0; firstK < depth; firstK += Gemm.DepthBlock)
            PackBlock(source, firstRow, rows, firstK, BlockDepth(firstK), Row(0, firstK));
    }

    private static int Padded(Kernels kernels, int rows) => kernels.TilesOf(rows) * kernels.TileRows;

    private int BlockDepth(int firstK) => Math.Min(Gemm.DepthBlock, depth - firstK);
}
