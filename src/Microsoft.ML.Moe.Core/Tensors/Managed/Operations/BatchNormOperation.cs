namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Batch normalisation. Statistics and gradients of columns are summed by blocks of rows, then over the blocks in order, in double precision.
/// </summary>
/// <remarks>
/// With x̂ = (x − mean)/√(variance + ε), R rows and statistics of the batch:
/// dX = gain/√(variance + ε)·(dY − mean(dY) − x̂·mean(dY∘x̂)); with given statistics the last two terms are not there.
/// </remarks>
internal readonly unsafe struct BatchNormOperation(
    ManagedTensor x, ManagedTensor gain, ManagedTensor bias, float* means, bool ofBatch, ManagedTensor result) : IOperation
{
    private const int RowsPerBlock = 256;

    public static ManagedTensor Forward(
        ManagedTape tape,
        ManagedTensor x,
        ManagedTensor gain,
        ManagedTensor bias,
        ManagedTensor runningMean,
        ManagedTensor runningVariance,
        float momentum,
        float epsilon,
        bool ofBatch)
    {
        var (rows, columns) = (x.Rows, x.Columns);
        var result = tape.Result(x.RequiresGradient || gain.RequiresGradient || bias.RequiresGradient, x.Shape);

        // the inverse deviations stand behind the means
        var means = (result.RequiresGradient ? tape.Memory : tape.Scratch).Allocate(2L * columns);
        var inverses = means + columns;
        var variances = tape.Scratch.Allocate(columns);
        if (ofBatch)
            Measure(tape, x, means, variances);
        var factors = tape.Scratch.Allocate(columns);
        for (var c = 0; c < columns; c++)
        {
            if (ofBatch)
            {
                runningMean.Data[c] += momentum * (means[c] - runningMean.Data[c]);
                runningVariance.Data[c] += momentum * (variances[c] * rows / (rows - 1) - runningVariance.Data[c]);
            }
            else
            {
                (means[c], variances[c]) = (runningMean.Data[c], runningVariance.Data[c]);
            }

            inverses[c] = 1f / MathF.Sqrt(MathF.Max(variances[c], 0f) + epsilon);
            factors[c] = gain.Data[c] * inverses[c];
        }

        Blocks.RunRows(tape, rows, columns, new Rows(tape.Kernels, columns, x.Data, means, factors, bias.Data, result.Data));
        tape.Record(result, new BatchNormOperation(x, gain, bias, means, ofBatch, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var (rows, columns) = (x.Rows, x.Columns);
        var inverses = means + columns;
        var accumulate = false;
        var dX = x.RequiresGradient ? x.GradientToWrite(out accumulate) : null;
        var slopes = tape.Scratch.Allocate(columns);
        var shifts = tape.Scratch.Allocate(columns);
        new Span<float>(slopes, columns).Clear();
        new Span<float>(shifts, columns).Clear();
        if (ofBatch || gain.RequiresGradient || bias.RequiresGradient)
        {
            var blocks = CountOf(rows);
            var parts = tape.Scratch.Allocate(2L * blocks * columns);
            tape.Workers.Run(blocks, 4L * rows * columns, new Products(tape.Kernels, rows, columns, x.Data, result.Gradient, means, parts));
            var dGain = gain.RequiresGradient ? gain.GradientToAdd() : null;
            var dBias = bias.RequiresGradient ? bias.GradientToAdd() : null;
            for (var c = 0; c < columns; c++)
            {
                var (sum, product) = (0.0, 0.0);
                for (var block = 0; block < blocks; block++)
                {
                    sum += parts[2L * block * columns + c];
                    product += parts[(2L * block + 1) * columns + c];
                }

                product *= inverses[c];
                if (dGain != null)
                    dGain[c] += (float)product;
                if (dBias != null)
                    dBias[c] += (float)sum;
                if (!ofBatch)
                    continue;
                var factor = (double)gain.Data[c] * inverses[c] / rows;
                slopes[c] = (float)(-factor * product * inverses[c]);
                shifts[c] = (float)(-factor * sum);
            }
        }

        if (dX == null)
            return;
        var factors = tape.Scratch.Allocate(columns);
        for (var c = 0; c < columns; c++)
            factors[c] = gain.Data[c] * inverses[c];
        var body = new Gradients(tape.Kernels, columns, result.Gradient, x.Data, means, factors, slopes, shifts, dX, accumulate);
        Blocks.RunRows(tape, rows, columns, body);
    }

    private static int CountOf(int rows) => (rows + RowsPerBlock - 1) / RowsPerBlock;

    // the moments of blocks are put together as Chan, Golub and LeVeque (1979) do
    private static void Measure(ManagedTape tape, ManagedTensor x, float* means, float* variances)
    {
        var (rows, columns) = (x.Rows, x.Columns);
        var blocks = CountOf(rows);
        var parts = tape.Scratch.Allocate(2L * blocks * columns);
        tape.Workers.Run(blocks, 3L * rows * columns, new Moments(tape.Kernels, rows, columns, x.Data, parts));
        for (var c = 0; c < columns; c++)
        {
            var (mean, squares, seen) = (0.0, 0.0, 0.0);
            for (var block = 0; block < blocks; block++)
            {
                double count = Math.Min(RowsPerBlock, rows - block * RowsPerBlock);
                var difference = parts[2L * block * columns + c] - mean;
                squares += parts[(2L * block + 1) * columns + c] + difference * difference * seen * count / (seen + count);
                seen += count;
                mean += difference * count / seen;
            }

            (means[c], variances[c]) = ((float)mean, (float)(squares / rows));
        }
    }

    private readonly struct Moments(Kernels kernels, int rows, int columns, float* x, float* parts) : ILoopBody
    {
        public void Run(int block, int worker)
        {
            var first = block * RowsPerBlock;
            var part = parts + 2L * block * columns;
            kernels.ColumnMoments(x + (long)first * columns, Math.Min(RowsPerBlock, rows - first), columns, part, part + columns);
        }
    }

    private readonly struct Rows(
        Kernels kernels, int columns, float* x, float* means, float* factors, float* biases, float* y) : IBlockBody
    {
        public void Run(int first, int count)
        {
            var start = (long)first * columns;
            kernels.ScaleColumns(x + start, means, factors, biases, y + start, count, columns);
        }
    }

    private readonly struct Products(Kernels kernels, int rows, int columns, float* x, float* dY, float* means, float* parts) : ILoopBody
    {
        public void Run(int block, int worker)
        {
            var first = block * RowsPerBlock;
            var part = parts + 2L * block * columns;
            var start = (long)first * columns;
            kernels.ColumnProducts(
                x + start, dY + start, means, Math.Min(RowsPerBlock, rows - first), columns, part, part + columns);
        }
    }

    private readonly struct Gradients(
        Kernels kernels,
        int columns,
        float* dY,
        float* x,
        float* means,
        float* factors,
        float* slopes,
        float* shifts,
        float* dX,
        bool accumulate) : IBlockBody
    {
        public void Run(int first, int count)
        {
            var start = (long)first * columns;
            kernels.CombineColumns(dY + start, x + start, means, factors, slopes, shifts, dX + start, accumulate, count, columns);
        }
    }
}
