namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Largest value of each channel over each window's pixels; the first pixel that holds it receives the gradient.</summary>
internal readonly unsafe struct WindowMaxPoolOperation(ManagedTensor x, ConvolutionSpec spec, int* winners, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor x, ConvolutionSpec spec)
    {
        var images = x.Shape[0] / (spec.Height * spec.Width);
        var result = tape.Result(x.RequiresGradient, images * spec.ResultHeight * spec.ResultWidth, x.Columns);
        var winners = (result.RequiresGradient ? tape.Memory : tape.Scratch).AllocateIntegers(result.Length);
        var body = new Largest(tape.Kernels, spec, x.Columns, x.Data, result.Data, winners);
        tape.Workers.Run(images * spec.ResultHeight, (long)result.Length * spec.Side * spec.Side, body);
        tape.Record(result, new WindowMaxPoolOperation(x, spec, winners, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var ofImage = spec.ResultHeight * spec.ResultWidth * result.Columns;
        if (ofImage > 0 && result.Length > 0)
            tape.Workers.Run(result.Length / ofImage, result.Length, new Gradient(ofImage, x.Columns, winners, result.Gradient, x.GradientToAdd()));
    }

    /// <summary>A row of windows.</summary>
    private readonly struct Largest(Kernels kernels, ConvolutionSpec spec, int channels, float* x, float* y, int* winners) : ILoopBody
    {
        public void Run(int row, int worker)
        {
            var (image, top) = (row / spec.ResultHeight, row % spec.ResultHeight * spec.Stride - spec.Side / 2);
            var (firstRow, endRow) = (Math.Max(0, top), Math.Min(spec.Height, top + spec.Side));
            for (var window = 0; window < spec.ResultWidth; window++)
            {
                var left = window * spec.Stride - spec.Side / 2;
                var (first, end) = (Math.Max(0, left), Math.Min(spec.Width, left + spec.Side));
                var place = ((long)row * spec.ResultWidth + window) * channels;
                var best = y + place;
                var winner = winners + place;
                for (var pixelRow = firstRow; pixelRow < endRow; pixelRow++)
                {
                    var pixels = (image * spec.Height + pixelRow) * spec.Width;
                    for (var pixel = pixels + first; pixel < pixels + end; pixel++)
                    {
                        var values = x + (long)pixel * channels;
                        if (pixelRow > firstRow || pixel > pixels + first)
                        {
                            kernels.TakeLarger(values, pixel, best, winner, channels);
                            continue;
                        }

                        new Span<float>(values, channels).CopyTo(new Span<float>(best, channels));
                        new Span<int>(winner, channels).Fill(pixel);
                    }
                }
            }
        }
    }

    /// <summary>An image: its windows overlap.</summary>
    private readonly struct Gradient(int ofImage, int channels, int* winners, float* dY, float* dX) : ILoopBody
    {
        public void Run(int image, int worker)
        {
            var first = (long)image * ofImage;
            for (var i = first; i < first + ofImage; i++)
                dX[(long)winners[i] * channels + (i - first) % channels] += dY[i];
        }
    }
}
