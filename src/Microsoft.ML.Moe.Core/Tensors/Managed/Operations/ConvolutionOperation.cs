namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// y = A·W + b, where each row of A is a window of an image: made for some rows at a time, so that they stay in the second-level cache.
/// Gradients: dA = dY·Wᵀ, added to dX image by image; dW = Aᵀ·dY, summed by blocks of rows, then over a fixed number of parts in order.
/// </summary>
internal readonly unsafe struct ConvolutionOperation(
    ManagedTensor x, ManagedTensor weightKO, ManagedTensor? bias, ConvolutionWindows windows, ManagedTensor result) : IOperation
{
    /// <summary>Windows that are copied at once: whole tiles, a quarter of a mebibyte.</summary>
    private const int BlockRows = 120;

    /// <summary>Parts of a weight gradient that are summed by themselves.</summary>
    private const int MostParts = 16;

    public static ManagedTensor Forward(
        ManagedTape tape, ManagedTensor x, ManagedTensor weightKO, ManagedTensor? bias, ConvolutionSpec spec)
    {
        var windows = new ConvolutionWindows(spec, x.Columns);
        var (rows, outputs) = (x.Shape[0] / (spec.Height * spec.Width) * windows.OfImage, weightKO.Columns);
        var result = tape.Result(
            x.RequiresGradient || weightKO.RequiresGradient || bias is { RequiresGradient: true }, rows, outputs);
        var weight = weightKO.FactorFor(tape, rows);
        var epilogue = new Epilogue(bias is null ? null : bias.Data, Activation.None, result.Data);
        var scratchLength = BlockRows * PackedRows.Stride + Gemm.SpareLength(tape.Kernels, windows.Values);
        var scratch = tape.Scratch.Allocate(scratchLength * tape.Workers.Threads);
        var body = new Products(tape.Kernels, windows, rows, x.Data, weight, result.Data, epilogue, scratch, scratchLength);
        tape.Workers.Run(Count(rows, BlockRows), Gemm.Work((long)rows * windows.Values * outputs), body);
        tape.Record(result, new ConvolutionOperation(x, weightKO, bias, windows, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var (rows, outputs) = (result.Shape[0], result.Columns);
        if (x.RequiresGradient)
            AddToImages(tape, rows, outputs);
        if (weightKO.RequiresGradient)
            AddToWeight(tape, rows, outputs);
        if (bias is { RequiresGradient: true })
            Dimensions.AddRows(tape, result.Gradient, rows, outputs, bias.GradientToAdd());
    }

    private static int Count(int rows, int size) => (rows + size - 1) / size;

    private void AddToImages(ManagedTape tape, int rows, int outputs)
    {
        var kernels = tape.Kernels;
        var dX = x.GradientToWrite(out var accumulate);
        var weightOK = weightKO.FactorFor(tape, rows, isTransposed: true);
        var scratchLength = BlockRows * PackedRows.Stride + Gemm.ScratchLength(kernels, BlockRows, outputs);
        var scratch = tape.Scratch.Allocate(scratchLength * tape.Workers.Threads);
        var body = new ImageGradients(kernels, windows, result.Gradient, weightOK, dX, accumulate, scratch, scratchLength);
        tape.Workers.Run(rows / windows.OfImage, Gemm.Work((long)rows * windows.Values * outputs), body);
    }

    private void AddToWeight(ManagedTape tape, int rows, int outputs)
    {
        var kernels = tape.Kernels;
        var length = windows.Values * outputs;
        var blocks = Count(rows, BlockRows);
        var blocksOfPart = Math.Max(1, Count(blocks, MostParts));
        var parts = Count(blocks, blocksOfPart);
        var gradient = weightKO.GradientToAdd();
        if (parts == 0)
            return;
        var sums = tape.Scratch.Allocate((long)parts * length);
        var scratchLength = (long)(BlockRows + kernels.TilesOf(outputs) * kernels.TileRows) * PackedRows.Stride
            + Gemm.SpareLength(kernels, BlockRows);
        var scratch = tape.Scratch.Allocate(scratchLength * tape.Workers.Threads);
        var body = new WeightGradients(
            kernels, windows, rows, outputs, blocksOfPart * BlockRows, x.Data, result.Gradient, sums, scratch, scratchLength);
        tape.Workers.Run(parts, Gemm.Work((long)rows * windows.Values * outputs), body);
        for (var part = 1; part < parts; part++)
            kernels.Add(sums, sums + (long)part * length, sums, length);
        for (var k = 0; k < windows.Values; k++)
            for (var o = 0; o < outputs; o++)
                gradient[k * outputs + o] += sums[o * windows.Values + k];
    }

    /// <summary>Some rows of the product.</summary>
    private readonly struct Products(
        Kernels kernels,
        ConvolutionWindows windows,
        int rows,
        float* x,
        SecondFactor weightKO,
        float* y,
        Epilogue epilogue,
        float* scratch,
        long scratchLength) : ILoopBody
    {
        public void Run(int item, int worker)
        {
            var block = new GemmBlock(item * BlockRows, Math.Min(BlockRows, rows - item * BlockRows), 0, weightKO.Columns);
            var packed = scratch + worker * scratchLength;
            for (var k = 0; k < windows.Values; k += Gemm.DepthBlock)
            {
                windows.Copy(x, block.FirstRow, block.Rows, k, Math.Min(Gemm.DepthBlock, windows.Values - k), packed);
                Gemm.MultiplyBlock(
                    kernels, block, packed, weightKO, k, y, weightKO.Columns, k > 0, packed + BlockRows * PackedRows.Stride, epilogue);
            }
        }
    }

    /// <summary>An image's gradient.</summary>
    private readonly struct ImageGradients(
        Kernels kernels,
        ConvolutionWindows windows,
        float* dY,
        SecondFactor weightOK,
        float* dX,
        bool accumulate,
        float* scratch,
        long scratchLength) : ILoopBody
    {
        public void Run(int image, int worker)
        {
            if (!accumulate)
                new Span<float>(dX + (long)image * windows.ImageLength, windows.ImageLength).Clear();
            var ofWindows = scratch + worker * scratchLength;
            var spare = ofWindows + BlockRows * PackedRows.Stride;
            for (var first = 0; first < windows.OfImage; first += BlockRows)
            {
                var (row, count) = (image * windows.OfImage + first, Math.Min(BlockRows, windows.OfImage - first));
                var ofBlock = new Matrix(dY + (long)row * weightOK.Depth, weightOK.Depth);
                for (var k = 0; k < windows.Values; k += Gemm.DepthBlock)
                {
                    var block = new GemmBlock(0, count, k, Math.Min(Gemm.DepthBlock, windows.Values - k));
                    Gemm.Multiply(kernels, block, ofBlock, weightOK, ofWindows - k, PackedRows.Stride, accumulate: false, spare);
                    windows.Add(ofWindows, row, count, k, block.Columns, dX);
                }
            }
        }
    }

    /// <summary>The part [O, K] of the weights' gradient that is due to some rows.</summary>
    private readonly struct WeightGradients(
        Kernels kernels,
        ConvolutionWindows windows,
        int rows,
        int outputs,
        int rowsOfPart,
        float* x,
        float* dY,
        float* sums,
        float* scratch,
        long scratchLength) : ILoopBody
    {
        public void Run(int part, int worker)
        {
            var copied = scratch + worker * scratchLength;
            var packed = copied + BlockRows * PackedRows.Stride;
            var spare = packed + kernels.TilesOf(outputs) * kernels.TileRows * PackedRows.Stride;
            var sum = sums + (long)part * outputs * windows.Values;
            var first = part * rowsOfPart;
            for (var row = first; row < Math.Min(rows, first + rowsOfPart); row += BlockRows)
            {
                var count = Math.Min(BlockRows, Math.Min(rows, first + rowsOfPart) - row);
                PackedRows.PackBlock(new Matrix(dY, outputs, isTransposed: true), 0, outputs, row, count, packed);
                for (var k = 0; k < windows.Values; k += Gemm.DepthBlock)
                {
                    var depth = Math.Min(Gemm.DepthBlock, windows.Values - k);
                    windows.Copy(x, row, count, k, depth, copied);
                    var factor = new SecondFactor(kernels, new Matrix(copied, PackedRows.Stride), depth, count, null);
                    var block = new GemmBlock(0, outputs, 0, depth);
                    Gemm.MultiplyBlock(kernels, block, packed, factor, 0, sum + k, windows.Values, row > first, spare, default);
                }
            }
        }
    }
}
