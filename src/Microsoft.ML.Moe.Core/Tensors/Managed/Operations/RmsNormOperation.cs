namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// y = gain∘x·r with r = 1/√(mean(x²) + ε). Gradients, with g = gain∘dY: dX = r·(g − x·r²·mean(g∘x)), dGain = Σ over rows of dY∘x·r, summed
/// by blocks of rows, then over the blocks in order. A row here is what one gain covers: of shorter gains x has several in a row of its own.
/// </summary>
internal readonly unsafe struct RmsNormOperation(ManagedTensor x, ManagedTensor gain, float* inverses, ManagedTensor result) : IOperation
{
    private const int RowsPerBlock = 64;

    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor x, ManagedTensor gain, float epsilon)
    {
        var result = tape.Result(x.RequiresGradient || gain.RequiresGradient, x.Shape);
        var (rows, columns) = (x.Length / gain.Length, gain.Length);
        var inverses = (result.RequiresGradient ? tape.Memory : tape.Scratch).Allocate(rows);
        var body = new Rows(tape.Kernels, columns, epsilon, x.Data, gain.Data, result.Data, inverses);
        Blocks.RunRows(tape, rows, columns, body);
        tape.Record(result, new RmsNormOperation(x, gain, inverses, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var (rows, columns) = (x.Length / gain.Length, gain.Length);
        var accumulate = false;
        var dX = x.RequiresGradient ? x.GradientToWrite(out accumulate) : null;
        var blocks = (rows + RowsPerBlock - 1) / RowsPerBlock;
        var sums = tape.Scratch.Allocate((long)blocks * columns);
        var body = new GradientBlocks(
            tape.Kernels, rows, columns, x.Data, gain.Data, result.Gradient, inverses, dX, accumulate, sums);
        tape.Workers.Run(blocks, 4L * rows * columns, body);
        if (gain.RequiresGradient)
            tape.Kernels.AddRows(sums, blocks, columns, gain.GradientToAdd(), columns);
    }

    private readonly struct Rows(Kernels kernels, int columns, float epsilon, float* x, float* gains, float* y, float* inverses)
        : IBlockBody
    {
        public void Run(int first, int count)
        {
            for (var row = first; row < first + count; row++)
            {
                var start = (long)row * columns;
                inverses[row] = kernels.RmsNorm(x + start, gains, y + start, columns, epsilon);
            }
        }
    }

    private readonly struct GradientBlocks(
        Kernels kernels,
        int rows,
        int columns,
        float* x,
        float* gains,
        float* dY,
        float* inverses,
        float* dX,
        bool accumulate,
        float* sums) : ILoopBody
    {
        public void Run(int block, int worker)
        {
            var dGain = sums + (long)block * columns;
            new Span<float>(dGain, columns).Clear();
            for (var row = block * RowsPerBlock; row < Math.Min(rows, (block + 1) * RowsPerBlock); row++)
            {
                var start = (long)row * columns;
                kernels.RmsNormBackward(
                    x + start, gains, dY + start, inverses[row], dX == null ? null : dX + start, accumulate, dGain, columns);
            }
        }
    }
}
