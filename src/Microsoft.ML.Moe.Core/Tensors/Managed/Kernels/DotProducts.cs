namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Products of few rows with a matrix in bfloat16 or int8 whose columns are rows in memory, as decoding makes them: each column is one
/// row to be multiplied with, and nothing is packed. How many rows there are decides, never how they are divided among threads.
/// </summary>
internal static unsafe class DotProducts
{
    /// <summary>Most rows of the first factor; with more, converting panels of the second pays.</summary>
    public const int MostRows = 16;

    // Elements of the second factor in an item of work.
    private const long ItemElements = 1 << 17;

    /// <summary>Whether products of that many rows are made so.</summary>
    public static bool Pay(in Matrix b, int rows) => b.IsStored && b.IsTransposed && rows <= MostRows;

    /// <summary>Columns of an item of work.</summary>
    public static int ItemColumns(int depth) => (int)Math.Clamp(ItemElements / Math.Max(1, depth), 1, ItemElements);

    /// <summary>Elements as work for <see cref="WorkerPool.Run"/>, which counts floats.</summary>
    public static long Work(long elements) => elements / 2;

    /// <summary>c = a·b or c += a·b on the tape's threads; see <see cref="Gemm.Multiply(ManagedTape, int, in Matrix, in SecondFactor, float*, bool, in Epilogue)"/>.</summary>
    public static void Run(ManagedTape tape, int rows, in Matrix a, in SecondFactor b, float* c, bool accumulate, Epilogue epilogue)
    {
        var places = (float**)tape.Scratch.Allocate(MostRows * sizeof(float*) / sizeof(float));
        if (a.IsTransposed)
        {
            var copy = tape.Scratch.Allocate((long)rows * b.Depth);
            for (var row = 0; row < rows; row++)
            {
                places[row] = copy + (long)row * b.Depth;
                for (var k = 0; k < b.Depth; k++)
                    places[row][k] = a.Row(k)[row];
            }
        }
        else
        {
            for (var row = 0; row < rows; row++)
                places[row] = a.Row(row);
        }

        var itemColumns = ItemColumns(b.Depth);
        var body = new Columns(tape.Kernels, rows, places, b.Values, b.Columns, b.Depth, itemColumns, c, accumulate, epilogue);
        tape.Workers.Run((b.Columns + itemColumns - 1) / itemColumns, Work((long)b.Columns * b.Depth), body);
    }

    private readonly struct Columns(
        Kernels kernels,
        int rows,
        float** places,
        Matrix b,
        int columns,
        int depth,
        int itemColumns,
        float* c,
        bool accumulate,
        Epilogue epilogue) : ILoopBody
    {
        public void Run(int item, int worker)
        {
            var first = item * itemColumns;
            var count = Math.Min(itemColumns, columns - first);
            kernels.MultiplyRows(rows, count, depth, places, b, first, c + first, columns, accumulate);
            epilogue.Finish(kernels, new GemmBlock(0, rows, first, count), c, columns);
        }
    }
}
