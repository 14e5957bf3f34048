namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Divides element-wise work into blocks whose size does not depend on the number of threads.</summary>
internal static class Blocks
{
    private const int BlockLength = 8192;

    /// <summary>Runs body(start, count) over [0, length).</summary>
    public static void Run(ManagedTape tape, int length, Action<int, int> body) =>
        Run(tape, length, BlockLength, length, body);

    /// <summary>Runs body(first, count) over the rows of a matrix, whole rows in each block.</summary>
    public static void RunRows(ManagedTape tape, int rows, int columns, Action<int, int> body) =>
        Run(tape, rows, Math.Max(1, BlockLength / Math.Max(1, columns)), (long)rows * columns, body);

    private static void Run(ManagedTape tape, int length, int blockLength, long work, Action<int, int> body)
    {
        var blocks = (int)(((long)length + blockLength - 1) / blockLength);
        tape.Workers.Run(blocks, work, (block, _) =>
        {
            var start = block * blockLength;
            body(start, Math.Min(blockLength, length - start));
        });
    }
}
