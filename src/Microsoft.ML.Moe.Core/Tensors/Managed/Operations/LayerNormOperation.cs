namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Layer normalisation. Gradients of gain and bias are summed by blocks of rows, then over the blocks in order.</summary>
internal static unsafe class LayerNormOperation
{
    private const int RowsPerBlock = 64;

    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor x, ManagedTensor gain, ManagedTensor bias, float epsilon)
    {
        Check.AtLeastRank(x, 1);
        Check.Shape(gain, [x.Columns]);
        Check.Shape(bias, [x.Columns]);
        var result = tape.Result(x.RequiresGradient || gain.RequiresGradient || bias.RequiresGradient, x.Shape);
        var rows = x.Rows;
        var columns = x.Columns;
        var means = (result.RequiresGradient ? tape.Memory : tape.Scratch).Allocate(2L * rows);
        var inverses = means + rows;
        var kernels = tape.Kernels;
        var source = x.Data;
        var gains = gain.Data;
        var biases = bias.Data;
        var target = result.Data;
        Blocks.RunRows(tape, rows, columns, (first, count) =>
        {
            for (var row = first; row < first + count; row++)
            {
                var start = (long)row * columns;
                kernels.LayerNorm(
                    source + start, gains, biases, target + start, columns, epsilon, out means[row], out inverses[row]);
            }
        });
        tape.Record(result, () => Backward(tape, x, gain, bias, result, means));
        return result;
    }

    private static void Backward(
        ManagedTape tape, ManagedTensor x, ManagedTensor gain, ManagedTensor bias, ManagedTensor result, float* means)
    {
        var rows = x.Rows;
        var columns = x.Columns;
        var inverses = means + rows;
        var kernels = tape.Kernels;
        var accumulate = false;
        var dX = x.RequiresGradient ? x.GradientToWrite(out accumulate) : null;
        var dY = result.Gradient;
        var source = x.Data;
        var gains = gain.Data;
        var blocks = (rows + RowsPerBlock - 1) / RowsPerBlock;
        var sums = tape.Scratch.Allocate(2L * blocks * columns);
        tape.Workers.Run(blocks, 4L * rows * columns, (block, _) =>
        {
            var dGain = sums + 2L * block * columns;
            new Span<float>(dGain, 2 * columns).Clear();
            for (var row = block * RowsPerBlock; row < Math.Min(rows, (block + 1) * RowsPerBlock); row++)
            {
                var start = (long)row * columns;
                kernels.LayerNormBackward(
                    source + start,
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
        });
        if (gain.RequiresGradient)
            kernels.AddRows(sums, blocks, 2 * columns, gain.GradientToAdd(), columns);
        if (bias.RequiresGradient)
            kernels.AddRows(sums + columns, blocks, 2 * columns, bias.GradientToAdd(), columns);
    }
}
