namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Layer normalisation. Gradients of gain and bias are summed by blocks of rows, then over the blocks in order.</summary>
internal readonly unsafe struct LayerNormOperation(
    ManagedTensor x, ManagedTensor gain, ManagedTensor bias, float* means, ManagedTensor result) : IOperation
{
    private const int RowsPerBlock = 64;

    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor x, ManagedTensor gain, ManagedTensor bias, float epsilon)
    {
        var result = tape.Result(x.RequiresGradient || gain.RequiresGradient || bias.RequiresGradient, x.Shape);

        // The inverse deviations stand behind the means.
        var means = (result.RequiresGradient ? tape.Memory : tape.Scratch).Allocate(2L * x.Rows);
        var body = new Rows(
            tape.Kernels, x.Columns, epsilon, x.Data, gain.Data, bias.Data, result.Data, means, means + x.Rows);
        Blocks.RunRows(tape, x.Rows, x.Columns, body);
        tape.Record(result, new LayerNormOperation(x, gain, bias, means, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var rows = x.Rows;
        var columns = x.Columns;
        var accumulate = false;
        var dX = x.RequiresGradient ? x.GradientToWrite(out accumulate) : null;
        var blocks = (rows + RowsPerBlock - 1) / RowsPerBlock;
        var sums = tape.Scratch.Allocate(2L * blocks * columns);
        var body = new GradientBlocks(
            tape.Kernels, rows, columns, x.Data, gain.Data, result.Gradient, means, means + rows, dX, accumulate, sums);
        tape.Workers.Run(blocks, 4L * rows * columns, body);
        if (gain.RequiresGradient)
            tape.Kernels.AddRows(sums, blocks, 2 * columns, gain.GradientToAdd(), columns);
        if (bias.RequiresGradient)
            tape.Kernels.AddRows(sums + columns, blocks, 2 * columns, bias.GradientToAdd(), columns);
    }

    private readonly struct Rows(
        Kernels kernels, int columns, float epsilon, float* x, float* gains, float* biases, float* y, float* means, float* inverses)
        : IBlockBody
    {
        public void Run(int first, int count)
        {
            for (var row = first; row < first + count; row++)
            {
                var start = (long)row * columns;
                kernels.LayerNorm(x + start, gains, biases, y + start, columns, epsilon, out means[row], out inverses[row]);
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
        float* means,
        float* inverses,
        float* dX,
        bool accumulate,
        float* sums) : ILoopBody
    {
        public void Run(int block, int worker)
        {
            var dGain = sums + 2L * block * columns;
            new Span<float>(dGain, 2 * columns).Clear();
            for (var row = block * RowsPerBlock; row < Math.Min(rows, (block + 1) * RowsPerBlock); row++)
            {
                var start = (long)row * columns;
                kernels.LayerNormBackward(
                    x + start,
                    gains,
                    dY + start,
                    means[row],
                    inverses[row],
                    dX == null ? null : dX + start,
                    accumulate,
                    dGain,
                    dGain + columns,
                    columns);
            }
        }
    }
}
