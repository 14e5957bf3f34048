namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Mean over each sequence's tokens; each token receives 1/n of the sequence's gradient.</summary>
internal readonly unsafe struct MeanPoolOperation(ManagedTensor xTD, SequenceLayout layout, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor xTD, SequenceLayout layout)
    {
        var result = tape.Result(xTD.RequiresGradient, layout.Sequences, xTD.Columns);
        tape.Workers.Run(layout.Sequences, xTD.Length, new Means(tape.Kernels, layout, xTD.Columns, xTD.Data, result.Data));
        tape.Record(result, new MeanPoolOperation(xTD, layout, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var body = new Gradient(tape.Kernels, layout, xTD.Columns, result.Gradient, xTD.GradientToAdd());
        tape.Workers.Run(layout.Sequences, xTD.Length, body);
    }

    private static float Share(SequenceLayout layout, int sequence)
    {
        var count = 0;
        for (var token = layout.Offsets[sequence]; token < layout.Offsets[sequence + 1]; token++)
            count += layout.IsToken(token) ? 1 : 0;
        return 1f / Math.Max(1, count);
    }

    private readonly struct Means(Kernels kernels, SequenceLayout layout, int width, float* x, float* y) : ILoopBody
    {
        public void Run(int sequence, int worker)
        {
            var mean = y + (long)sequence * width;
            new Span<float>(mean, width).Clear();
            for (var token = layout.Offsets[sequence]; token < layout.Offsets[sequence + 1]; token++)
            {
                if (layout.IsToken(token))
                    kernels.Add(mean, x + (long)token * width, mean, width);
            }

            kernels.Scale(Share(layout, sequence), mean, mean, width);
        }
    }

    private readonly struct Gradient(Kernels kernels, SequenceLayout layout, int width, float* dY, float* dX) : ILoopBody
    {
        public void Run(int sequence, int worker)
        {
            var share = Share(layout, sequence);
            for (var token = layout.Offsets[sequence]; token < layout.Offsets[sequence + 1]; token++)
            {
                if (layout.IsToken(token))
                    kernels.AddScaled(share, dY + (long)sequence * width, dX + (long)token * width, width);
            }
        }
    }
}
