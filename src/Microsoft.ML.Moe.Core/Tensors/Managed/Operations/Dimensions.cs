namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Helpers for operations over rows and columns.</summary>
internal static unsafe class Dimensions
{
    private const int ColumnsPerItem = 64;

    /// <summary>Product of all dimensions but the last, also where the last is 0.</summary>
    public static int LeadingRows(Tensor tensor)
    {
        var rows = 1;
        foreach (var size in tensor.Shape[..^1])
            rows = checked(rows * size);
        return rows;
    }

    /// <summary>result += Σ of the rows of a dense matrix; columns are divided among threads.</summary>
    public static void AddRows(ManagedTape tape, float* x, int rows, int columns, float* result) => tape.Workers.Run(
        (columns + ColumnsPerItem - 1) / ColumnsPerItem, (long)rows * columns, new Sums(tape.Kernels, x, rows, columns, result));

    private readonly struct Sums(Kernels kernels, float* x, int rows, int columns, float* result) : ILoopBody
    {
        public void Run(int item, int worker)
        {
            var first = item * ColumnsPerItem;
            kernels.AddRows(x + first, rows, columns, result + first, Math.Min(ColumnsPerItem, columns - first));
        }
    }
}
