namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Divides element-wise work into blocks whose size does not depend on the number of threads.</summary>
internal static class Blocks
{
    private const int BlockLength = 8192;

    /// <summary>Runs body(start, count) over [0, length).</summary>
    public static void Run<TBody>(ManagedTape tape, int length, TBody body)
        where TBody : struct, IBlockBody =>
        tape.Workers.RunBlocks(length, BlockLength, length, body);

    /// <summary>Runs body(first, count) over the rows of a matrix, whole rows in each block.</summary>
    public static void RunRows<TBody>(ManagedTape tape, int rows, int columns, TBody body)
        where TBody : struct, IBlockBody =>
        tape.Workers.RunBlocks(rows, Math.Max(1, BlockLength / Math.Max(1, columns)), (long)rows * columns, body);
}
