namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Helpers for operations over rows and columns.</summary>
internal static unsafe class Dimensions
{
    /// <summary>Product of all dimensions but the last, also where the last is 0.</summary>
    public static int LeadingRows(Tensor tensor)
    {
        var rows = 1;
        foreach (var size in tensor.Shape[..^1])
            rows = checked(rows * size);
        return rows;
    }

    /// <summary>result += Σ of the rows of a dense matrix; columns are divided among threads.</summary>
    public static void AddRows(ManagedTape tape, float* x, int rows, int columns, float* result)
    {
        const int ColumnsPerItem = 64;
        var kernels = tape.Kernels;
        tape.Workers.Run((columns + ColumnsPerItem - 1) / ColumnsPerItem, (long)rows * columns, (item, _) =>
        {
            var first = item * ColumnsPerItem;
            kernels.AddRows(x + first, rows, columns, result + first, Math.Min(ColumnsPerItem, columns - first));
        });
    }
}
