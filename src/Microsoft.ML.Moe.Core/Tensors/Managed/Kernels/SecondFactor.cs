namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// The second factor of a matrix product, cut into panels of <see cref="Kernels.TileColumns"/> columns. Packed, the panels of one
/// block of k (<see cref="Gemm.DepthBlock"/>) stand side by side in the order of reading. A factor that only few rows are
/// multiplied with is not worth packing: it is read where it lies, apart from a last panel that is not full. Nor is one in bfloat16 or int8,
/// half as large or less: it is read where it lies for few rows (<see cref="Gemm.MostRowsInPlace"/>, or, where its columns are rows in
/// memory, <see cref="DotProducts.MostRows"/>); for more its panels are converted when they are needed, a block of k at a time.
/// </summary>
/// <param name="kernels">Inner loops.</param>
/// <param name="matrix">The factor.</param>
/// <param name="columns">Columns of the factor.</param>
/// <param name="depth">Rows of the factor, k.</param>
/// <param name="packed">
/// <see cref="PackedLength"/> floats of that precision to pack into; null to read the factor where it lies, in its own.
/// </param>
/// <param name="isReady">Whether <paramref name="packed"/> holds the factor already.</param>
/// <param name="precision">What it is packed in; full where it is not packed.</param>
/// <param name="isDotted">Whether its columns are read as rows in memory, for few rows: see <see cref="DotProducts"/>.</param>
internal readonly unsafe struct SecondFactor(
    Kernels kernels,
    Matrix matrix,
    int columns,
    int depth,
    float* packed,
    bool isReady = false,
    InferencePrecision precision = InferencePrecision.Full,
    bool isDotted = false)
{
    /// <summary>Columns of the factor.</summary>
    public int Columns => columns;

    /// <summary>Rows of the factor, k.</summary>
    public int Depth => depth;

    /// <summary>What the panels are stored in.</summary>
    public InferencePrecision Precision => precision;

    /// <summary>Number of panels.</summary>
    public int Panels => PanelsOf(kernels, columns);

    /// <summary>Whether packing pays for that many rows.</summary>
    public static bool PaysToPack(Kernels kernels, bool isTransposed, int rows) => isTransposed || rows > 2 * kernels.TileRows;

    /// <summary>Panels of that many columns.</summary>
    public static int PanelsOf(Kernels kernels, int columns) => (columns + kernels.TileColumns - 1) / kernels.TileColumns;

    /// <summary>Floats of the packed factor.</summary>
    public static long PackedLength(
        Kernels kernels, int columns, int depth, InferencePrecision precision = InferencePrecision.Full) =>
        (long)PanelsOf(kernels, columns) * RowLength(kernels, precision) * depth;

    /// <summary>Whether panels have to be packed before the product.</summary>
    public bool NeedsPacking => packed != null && !isReady;

    /// <summary>The factor, in floats or not.</summary>
    public Matrix Values => matrix;

    /// <summary>Whether its columns are read as rows in memory.</summary>
    public bool IsDotted => isDotted;

    /// <summary>Whether the factor is converted, panel by panel, when it is read.</summary>
    public bool IsStored => matrix.IsStored;

    /// <summary>Whether the factor can be read where it lies, in bfloat16, row by row.</summary>
    public bool IsReadInBFloat16 => matrix.IsBFloat16 && !matrix.IsTransposed;

    /// <summary>Room for the factor of a product with that many rows; null where packing does not pay.</summary>
    public static float* Allocate(ManagedTape tape, in Matrix matrix, int columns, int depth, int rows)
    {
        var pays = rows > 0 && !matrix.IsStored && PaysToPack(tape.Kernels, matrix.IsTransposed, rows);
        return pays ? tape.Scratch.Allocate(PackedLength(tape.Kernels, columns, depth)) : null;
    }

    /// <summary>The factor of a product with that many rows, packed on the tape's threads if that pays.</summary>
    public static SecondFactor Prepare(ManagedTape tape, in Matrix matrix, int columns, int depth, int rows)
    {
        var packed = Allocate(tape, matrix, columns, depth, rows);
        var factor = new SecondFactor(tape.Kernels, matrix, columns, depth, packed, isDotted: DotProducts.Pay(matrix, rows));
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
        if (precision == InferencePrecision.BFloat16)
        {
            PackRounded(panel);
            return;
        }

        for (var firstK = 0; firstK < depth; firstK += Gemm.DepthBlock)
            PackBlock(panel, firstK, BlockDepth(firstK), Packed(panel, firstK));
    }

    /// <summary>The rows of one panel in one block of k.</summary>
    /// <param name="panel">Number of the panel.</param>
    /// <param name="firstK">Start of the block of k.</param>
    /// <param name="spare">Room for a panel that has to be packed now.</param>
    /// <param name="stride">Distance of the rows.</param>
    public float* Rows(int panel, int firstK, float* spare, out nint stride)
    {
        stride = RowLength(kernels, precision);
        if (packed != null)
            return Packed(panel, firstK);
        if ((panel + 1) * kernels.TileColumns <= columns && !matrix.IsStored)
        {
            stride = matrix.Stride;
            return matrix.Row(firstK) + panel * kernels.TileColumns;
        }

        PackBlock(panel, firstK, BlockDepth(firstK), spare);
        return spare;
    }

    /// <summary>An element of a factor that <see cref="IsReadInBFloat16"/>.</summary>
    /// <param name="row">Its row.</param>
    /// <param name="column">Its column.</param>
    /// <param name="stride">Distance of the rows.</param>
    public ushort* InPlace(int row, int column, out nint stride)
    {
        stride = matrix.Stride;
        return matrix.BFloat16Row(row) + column;
    }

    /// <summary>One panel as a factor of its own, in floats: for a factor that <see cref="IsStored"/> and that several tiles are to read.</summary>
    /// <param name="panel">Number of the panel; that of the new factor is 0.</param>
    /// <param name="room"><see cref="Kernels.TileColumns"/> floats for each row.</param>
    public SecondFactor Widened(int panel, float* room)
    {
        for (var firstK = 0; firstK < depth; firstK += Gemm.DepthBlock)
            PackBlock(panel, firstK, BlockDepth(firstK), room + (long)firstK * kernels.TileColumns);
        var width = Math.Min(kernels.TileColumns, columns - panel * kernels.TileColumns);
        return new SecondFactor(kernels, default, width, depth, room, isReady: true);
    }

    private static int RowLength(Kernels kernels, InferencePrecision precision) =>
        precision == InferencePrecision.BFloat16 ? kernels.TileColumns / 2 : kernels.TileColumns;

    private float* Packed(int panel, int firstK)
    {
        var rowLength = RowLength(kernels, precision);
        return packed + (long)Panels * rowLength * firstK + (long)panel * rowLength * BlockDepth(firstK);
    }

    private int BlockDepth(int firstK) => Math.Min(Gemm.DepthBlock, depth - firstK);

    private void PackRounded(int panel)
    {
        const int MostRows = 64;
        var floats = stackalloc float[MostRows * kernels.TileColumns];
        for (var firstK = 0; firstK < depth; firstK += Gemm.DepthBlock)
        {
            var target = Packed(panel, firstK);
            for (var k = 0; k < BlockDepth(firstK); k += MostRows)
            {
                var rows = Math.Min(MostRows, BlockDepth(firstK) - k);
                PackBlock(panel, firstK + k, rows, floats);
                kernels.RoundPanel(rows, floats, target + k * RowLength(kernels, precision));
            }
        }
    }

    private void PackBlock(int panel, int firstK, int rows, float* target)
    {
        var width = kernels.TileColumns;
        var first = panel * width;
        var count = Math.Min(width, columns - first);
        if (matrix.IsStored)
            Packing.Widen(kernels, matrix, first, count, firstK, rows, target);
        else if (matrix.IsTransposed)
            Packing.PackRows(matrix, first, count, firstK, rows, width, target);
        else
            Packing.PackColumns(matrix, first, count, firstK, rows, width, target);
    }

    private readonly struct PanelPacking(SecondFactor factor) : ILoopBody
    {
        public void Run(int panel, int worker) => factor.Pack(panel);
    }
}
