namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// The second factor of a matrix product, cut into panels of <see cref="Kernels.TileColumns"/> columns. Packed, the panels of one
/// block of k (<see cref="Gemm.DepthBlock"/>) stand side by side in the order of reading. A factor that only few rows are
/// multiplied with is not worth packing: it is read where it lies, apart from a last panel that is not full.
/// </summary>
/// <param name="kernels">Inner loops.</param>
/// <param name="matrix">The factor.</param>
/// <param name="columns">Columns of the factor.</param>
/// <param name="depth">Rows of the factor, k.</param>
/// <param name="packed"><see cref="PackedLength"/> floats to pack into; null to read the factor where it lies.</param>
/// <param name="isReady">Whether <paramref name="packed"/> holds the factor already.</param>
internal readonly unsafe struct SecondFactor(
    Kernels kernels, Matrix matrix, int columns, int depth, float* packed, bool isReady = false)
{
    /// <summary>Columns of the factor.</summary>
    public int Columns => columns;

    /// <summary>Rows of the factor, k.</summary>
    public int Depth => depth;

    /// <summary>Number of panels.</summary>
    public int Panels => PanelsOf(kernels, columns);

    /// <summary>Whether packing pays for that many rows.</summary>
    public static bool PaysToPack(Kernels kernels, bool isTransposed, int rows) => isTransposed || rows > 2 * kernels.TileRows;

    /// <summary>Panels of that many columns.</summary>
    public static int PanelsOf(Kernels kernels, int columns) => (columns + kernels.TileColumns - 1) / kernels.TileColumns;

    /// <summary>Floats of the packed factor.</summary>
    public static long PackedLength(Kernels kernels, int columns, int depth) =>
        (long)PanelsOf(kernels, columns) * kernels.TileColumns * depth;

    /// <summary>Whether panels have to be packed before the product.</summary>
    public bool NeedsPacking => packed != null && !isReady;

    /// <summary>Room for the factor of a product with that many rows; null where packing does not pay.</summary>
    public static float* Allocate(ManagedTape tape, bool isTransposed, int columns, int depth, int rows) =>
        rows > 0 && PaysToPack(tape.Kernels, isTransposed, rows) ? tape.Scratch.Allocate(PackedLength(tape.Kernels, columns, depth)) : null;

    /// <summary>The factor of a product with that many rows, packed on the tape's threads if that pays.</summary>
    public static SecondFactor Prepare(ManagedTape tape, in Matrix matrix, int columns, int depth, int rows)
    {
        var factor = new SecondFactor(
            tape.Kernels, matrix, columns, depth, Allocate(tape, matrix.IsTransposed, columns, depth, rows));
        if (factor.NeedsPacking)
            tape.Workers.Run(factor.Panels, (long)columns * depth, new PanelPacking(factor));
        return factor;
    }

    /// <summary>Packs all panels.</summary>
    public void Pack()
    {
        for (var panel = 0; panel < Panels; panel++)
            Pack(panel);
    }

    /// <summary>Packs one panel.</summary>
    public void Pack(int panel)
    {
        if (!NeedsPacking)
            return;
        for (var firstK = 0; firstK < depth; firstK += Gemm.DepthBlock)
            PackBlock(panel, firstK, Packed(panel, firstK));
    }

    /// <summary>The rows of one panel in one block of k.</summary>
    /// <param name="panel">Number of the panel.</param>
    /// <param name="firstK">Start of the block of k.</param>
    /// <param name="spare">Room for a panel that has to be packed now.</param>
    /// <param name="stride">Distance of the rows.</param>
    public float* Rows(int panel, int firstK, float* spare, out nint stride)
    {
        stride = kernels.TileColumns;
        if (packed != null)
            return Packed(panel, firstK);
        if ((panel + 1) * kernels.TileColumns <= columns)
        {
            stride = matrix.Stride;
            return matrix.Row(firstK) + panel * kernels.TileColumns;
        }

        PackBlock(panel, firstK, spare);
        return spare;
    }

    private float* Packed(int panel, int firstK)
    {
        long blockDepth = Math.Min(Gemm.DepthBlock, depth - firstK);
        return packed + (long)Panels * kernels.TileColumns * firstK + panel * kernels.TileColumns * blockDepth;
    }

    private void PackBlock(int panel, int firstK, float* target)
    {
        var width = kernels.TileColumns;
        var first = panel * width;
        var count = Math.Min(width, columns - first);
        var blockDepth = Math.Min(Gemm.DepthBlock, depth - firstK);
        if (matrix.IsTransposed)
            Packing.PackRows(matrix, first, count, firstK, blockDepth, width, target);
        else
            Packing.PackColumns(matrix, first, count, firstK, blockDepth, width, target);
    }

    private readonly struct PanelPacking(SecondFactor factor) : ILoopBody
    {
        public void Run(int panel, int worker) => factor.Pack(panel);
    }
}
