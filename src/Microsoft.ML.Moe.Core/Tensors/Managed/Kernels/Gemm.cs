namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Matrix products over <see cref="Kernels.Tile"/>. Every element of the result is summed in the same order however the work
/// is divided: along k in blocks of <see cref="DepthBlock"/>.
/// </summary>
internal static unsafe class Gemm
{
    /// <summary>
    /// k's share of a panel. The longer, the less often a result is read and written again; panels of both factors stream from the
    /// second-level cache anyhow.
    /// </summary>
    public const int DepthBlock = 512;

    /// <summary>Floats of the first factor that are packed at once: a quarter of a mebibyte, for the second-level cache.</summary>
    private const int PackedFloats = 1 << 16;

    /// <summary>Multiply–adds of an item of work that outweigh its overhead.</summary>
    private const long ItemWork = 1 << 20;

    private const int ItemsOfThread = 4;

    /// <summary>Multiply–adds as work for <see cref="WorkerPool.Run"/>: several take as long as a float from memory.</summary>
    public static long Work(long multiplyAdds) => multiplyAdds / 8;

    /// <summary>c = a·b or c += a·b on the tape's threads.</summary>
    /// <param name="tape">Gives threads and scratch memory.</param>
    /// <param name="rows">Rows of a and c.</param>
    /// <param name="a">First factor.</param>
    /// <param name="b">Second factor, packed where it is to be.</param>
    /// <param name="c">Result, dense.</param>
    /// <param name="accumulate">Whether to add to c.</param>
    /// <param name="epilogue">Done to each part of c when it is complete.</param>
    public static void Multiply(
        ManagedTape tape,
        int rows,
        in Matrix a,
        in SecondFactor b,
        float* c,
        bool accumulate,
        in Epilogue epilogue = default)
    {
        var (columns, depth) = (b.Columns, b.Depth);
        if (rows == 0 || columns == 0)
            return;
        if (b.IsDotted)
        {
            DotProducts.Run(tape, rows, a, b, c, accumulate, epilogue);
            return;
        }

        var kernels = tape.Kernels;
        var threads = tape.Workers.Threads;
        var multiplyAdds = (long)rows * columns * depth;
        var items = WantedItems(multiplyAdds, threads);
        var parts = new RowParts(kernels, rows, ItemRows(kernels, rows, multiplyAdds, threads));
        var rowItems = parts.Count;
        var itemPanels = (int)Math.Max(1, (long)b.Panels * rowItems / items);
        var columnItems = (b.Panels + itemPanels - 1) / itemPanels;
        var scratchLength = ScratchLength(kernels, parts.MostRows, depth);
        var scratch = tape.Scratch.Allocate(scratchLength * threads);
        var body = new Product(kernels, parts, columnItems, itemPanels, a, b, c, accumulate, scratch, scratchLength, epilogue);
        tape.Workers.Run(rowItems * columnItems, Work(multiplyAdds), body);
    }

    /// <summary>c = a·b or c += a·b on the calling thread.</summary>
    /// <param name="kernels">Inner loops.</param>
    /// <param name="rows">Rows of a and c.</param>
    /// <param name="columns">Columns of b and c.</param>
    /// <param name="depth">Columns of a, rows of b.</param>
    /// <param name="a">First factor.</param>
    /// <param name="b">Second factor.</param>
    /// <param name="c">Result.</param>
    /// <param name="cStride">Distance of c's rows.</param>
    /// <param name="accumulate">Whether to add to c.</param>
    /// <param name="scratch"><see cref="SerialScratchLength"/> floats.</param>
    public static void MultiplySerial(
        Kernels kernels, int rows, int columns, int depth, Matrix a, Matrix b, float* c, nint cStride, bool accumulate, float* scratch)
    {
        var packs = SecondFactor.PaysToPack(kernels, b.IsTransposed, rows);
        var factor = new SecondFactor(kernels, b, columns, depth, packs ? scratch : null);
        factor.Pack();
        var rest = scratch + SecondFactor.PackedLength(kernels, columns, depth);
        Multiply(kernels, new GemmBlock(0, rows, 0, columns), a, factor, c, cStride, accumulate, rest);
    }

    /// <summary>A block of c = a·b or c += a·b on the calling thread.</summary>
    /// <param name="kernels">Inner loops.</param>
    /// <param name="block">Which rows and columns; the first column is the first of a panel.</param>
    /// <param name="a">First factor.</param>
    /// <param name="b">Second factor.</param>
    /// <param name="c">Result; its first row and column, not the block's.</param>
    /// <param name="cStride">Distance of c's rows.</param>
    /// <param name="accumulate">Whether to add to c.</param>
    /// <param name="scratch"><see cref="ScratchLength"/> floats for the block's rows.</param>
    /// <param name="epilogue">Done to each part of c when it is complete.</param>
    public static void Multiply(
        Kernels kernels,
        GemmBlock block,
        in Matrix a,
        in SecondFactor b,
        float* c,
        nint cStride,
        bool accumulate,
        float* scratch,
        Epilogue epilogue = default)
    {
        if (b.Depth == 0)
        {
            for (var row = block.FirstRow; !accumulate && row < block.FirstRow + block.Rows; row++)
                new Span<float>(c + row * cStride + block.FirstColumn, block.Columns).Clear();
            epilogue.Finish(kernels, block, c, cStride);
            return;
        }

        var parts = new RowParts(kernels, block.Rows, MostRows(kernels));
        for (var i = 0; i < parts.Count; i++)
        {
            var (first, rows) = parts[i];
            var part = block with { FirstRow = block.FirstRow + first, Rows = rows };
            MultiplyPart(kernels, part, a, b, c, cStride, accumulate, scratch, epilogue);
        }
    }

    /// <summary>The part that one block of k has in a block of c = a·b or c += a·b, on the calling thread.</summary>
    /// <param name="kernels">Inner loops.</param>
    /// <param name="block">Which rows and columns; the first column is the first of a panel.</param>
    /// <param name="packedA">The block's rows of the first factor, in that block of k, <see cref="PackedRows.Stride"/> apart.</param>
    /// <param name="b">Second factor.</param>
    /// <param name="firstK">Start of the block of k.</param>
    /// <param name="c">Result; its first row and column, not the block's.</param>
    /// <param name="cStride">Distance of c's rows.</param>
    /// <param name="accumulate">Whether to add to c.</param>
    /// <param name="spare"><see cref="SpareLength"/> floats.</param>
    /// <param name="epilogue">Done to each part of c when the last block of k is in it.</param>
    public static void MultiplyBlock(
        Kernels kernels,
        GemmBlock block,
        float* packedA,
        in SecondFactor b,
        int firstK,
        float* c,
        nint cStride,
        bool accumulate,
        float* spare,
        Epilogue epilogue)
    {
        var depth = Math.Min(DepthBlock, b.Depth - firstK);
        if (b.IsReadInBFloat16 && block.Rows <= MostRowsInPlace(kernels))
        {
            MultiplyInPlace(kernels, block, packedA, b, firstK, depth, c, cStride, accumulate);
            if (firstK + depth == b.Depth)
                epilogue.Finish(kernels, block, c, cStride);
            return;
        }

        for (var column = block.FirstColumn; column < block.FirstColumn + block.Columns; column += kernels.TileColumns)
        {
            var panel = b.Rows(column / kernels.TileColumns, firstK, spare, out var stride);
            var width = Math.Min(kernels.TileColumns, block.FirstColumn + block.Columns - column);
            for (var row = 0; row < block.Rows; row += kernels.TileRows)
            {
                var height = Math.Min(kernels.TileRows, block.Rows - row);
                var rowsA = packedA + row * PackedRows.Stride;
                var target = c + (block.FirstRow + row) * cStride + column;
                kernels.Tile(b.Precision, height, width, depth, rowsA, panel, stride, target, cStride, accumulate);
            }

            if (firstK + depth == b.Depth)
                epilogue.Finish(kernels, block with { FirstColumn = column, Columns = width }, c, cStride);
        }
    }

    /// <summary>A tile of c = a·b, or of what of it is left at the end, on the calling thread.</summary>
    /// <param name="kernels">Inner loops.</param>
    /// <param name="a">First factor.</param>
    /// <param name="firstRow">First row of the tile.</param>
    /// <param name="b">Second factor.</param>
    /// <param name="panel">Number of b's panel.</param>
    /// <param name="tile">Result.</param>
    /// <param name="stride">Distance of the result's rows.</param>
    /// <param name="spare"><see cref="SpareLength"/> floats.</param>
    public static void MultiplyTile(
        Kernels kernels, in PackedRows a, int firstRow, in SecondFactor b, int panel, float* tile, nint stride, float* spare)
    {
        var rows = Math.Min(kernels.TileRows, a.Rows - firstRow);
        var firstColumn = panel * kernels.TileColumns;
        var block = new GemmBlock(0, rows, firstColumn, Math.Min(kernels.TileColumns, b.Columns - firstColumn));
        MultiplyRows(kernels, a, firstRow, b, block, tile - firstColumn, stride, spare);
    }

    /// <summary>A block of c = a·b, on the calling thread.</summary>
    /// <param name="kernels">Inner loops.</param>
    /// <param name="a">First factor.</param>
    /// <param name="firstRow">First row of a, at the start of a tile; the block's is 0.</param>
    /// <param name="b">Second factor.</param>
    /// <param name="block">Which columns, and how many rows.</param>
    /// <param name="c">Result; its first column, not the block's.</param>
    /// <param name="stride">Distance of the result's rows.</param>
    /// <param name="spare"><see cref="SpareLength"/> floats.</param>
    public static void MultiplyRows(
        Kernels kernels, in PackedRows a, int firstRow, in SecondFactor b, GemmBlock block, float* c, nint stride, float* spare)
    {
        for (var firstK = 0; firstK < b.Depth; firstK += DepthBlock)
            MultiplyBlock(kernels, block, a.Row(firstRow, firstK), b, firstK, c, stride, firstK > 0, spare, default);
    }

    /// <summary>Most rows for which a second factor in bfloat16 is read where it lies, and not converted panel by panel.</summary>
    public static int MostRowsInPlace(Kernels kernels) => 4 * kernels.TileRows;

    /// <summary>
    /// Distance of rows for a result that need not be dense. Rows at a multiple of half a page would all lie in the same few sets of the
    /// first-level cache, and a tile's push each other out.
    /// </summary>
    public static int RowStride(int columns)
    {
        const int HalfPage = 512;
        return columns % HalfPage == 0 ? columns + MemoryBlock.Alignment : columns;
    }

    /// <summary>Floats that a product of at most that many rows and that depth needs.</summary>
    public static long ScratchLength(Kernels kernels, int rows, int depth)
    {
        var tiles = kernels.TilesOf(rows);
        var packedRows = Math.Min((long)tiles * kernels.TileRows, MostRows(kernels));
        return packedRows * PackedRows.Stride + SpareLength(kernels, depth);
    }

    /// <summary>Floats that a product of that depth needs where the first factor is packed already: room for a panel of the second.</summary>
    public static long SpareLength(Kernels kernels, int depth) => (long)Math.Min(depth, DepthBlock) * kernels.TileColumns;

    /// <summary>Floats that <see cref="MultiplySerial"/> needs.</summary>
    public static long SerialScratchLength(Kernels kernels, int rows, int columns, int depth) =>
        SecondFactor.PackedLength(kernels, columns, depth) + ScratchLength(kernels, rows, depth);

    /// <summary>Rows of one item of parallel work: whole tiles, several items for each thread where the work suffices.</summary>
    /// <param name="kernels">Inner loops.</param>
    /// <param name="rows">Rows in all.</param>
    /// <param name="multiplyAdds">Multiply–adds of all rows.</param>
    /// <param name="threads">Number of threads.</param>
    /// <param name="itemsOfThread">Most items for each thread.</param>
    public static int ItemRows(Kernels kernels, int rows, long multiplyAdds, int threads, int itemsOfThread = ItemsOfThread)
    {
        var items = WantedItems(multiplyAdds, threads, itemsOfThread);
        var tiles = kernels.TilesOf(rows);
        return (int)Math.Max(1, (tiles + items - 1) / items) * kernels.TileRows;
    }

    // Rows of the first factor that are packed at once.
    private static int MostRows(Kernels kernels) => PackedFloats / DepthBlock / kernels.TileRows * kernels.TileRows;

    private static long WantedItems(long multiplyAdds, int threads, int itemsOfThread = ItemsOfThread) =>
        threads == 1 ? 1 : Math.Clamp(multiplyAdds / ItemWork, 1, (long)itemsOfThread * threads);

    private static void MultiplyInPlace(
        Kernels kernels,
        GemmBlock block,
        float* packedA,
        in SecondFactor b,
        int firstK,
        int depth,
        float* c,
        nint cStride,
        bool accumulate)
    {
        const int MostColumns = 4096;
        var end = block.FirstColumn + block.Columns;
        var sums = Kernels.MostBFloat16Sums / Math.Min(block.Rows, kernels.TileRows);
        var step = Math.Min(MostColumns, sums / kernels.TileColumns * kernels.TileColumns);
        for (var column = block.FirstColumn; column < end; column += step)
        {
            var source = b.InPlace(firstK, column, out var stride);
            var width = Math.Min(step, end - column);
            for (var row = 0; row < block.Rows; row += kernels.TileRows)
            {
                var height = Math.Min(kernels.TileRows, block.Rows - row);
                var target = c + (block.FirstRow + row) * cStride + column;
                var rowsA = packedA + row * PackedRows.Stride;
                kernels.MultiplyBFloat16(height, width, depth, rowsA, source, stride, target, cStride, accumulate);
            }
        }
    }

    private static void MultiplyPart(
        Kernels kernels,
        GemmBlock block,
        in Matrix a,
        in SecondFactor b,
        float* c,
        nint cStride,
        bool accumulate,
        float* scratch,
        Epilogue epilogue)
    {
        var packedA = scratch + SpareLength(kernels, b.Depth);
        for (var firstK = 0; firstK < b.Depth; firstK += DepthBlock)
        {
            var depth = Math.Min(DepthBlock, b.Depth - firstK);
            PackedRows.PackBlock(a, block.FirstRow, block.Rows, firstK, depth, packedA);
            MultiplyBlock(kernels, block, packedA, b, firstK, c, cStride, accumulate || firstK > 0, scratch, epilogue);
        }
    }

    private readonly struct Product(
        Kernels kernels,
        RowParts parts,
        int columnItems,
        int itemPanels,
        Matrix a,
        SecondFactor b,
        float* c,
        bool accumulate,
        float* scratch,
        long scratchLength,
        Epilogue epilogue) : ILoopBody
    {
        public void Run(int item, int worker)
        {
            var (firstRow, itemRows) = parts[item / columnItems];
            var itemColumns = itemPanels * kernels.TileColumns;
            var firstColumn = item % columnItems * itemColumns;
            var block = new GemmBlock(firstRow, itemRows, firstColumn, Math.Min(itemColumns, b.Columns - firstColumn));
            Multiply(kernels, block, a, b, c, b.Columns, accumulate, scratch + worker * scratchLength, epilogue);
        }
    }
}
