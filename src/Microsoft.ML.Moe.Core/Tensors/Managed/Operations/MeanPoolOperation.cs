namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Mean over each sequence's tokens; each token receives 1/n of the sequence's gradient.</summary>
internal static unsafe class MeanPoolOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor xTD, SequenceLayout layout)
    {
        Check.Tokens(xTD, layout);
        var width = xTD.Columns;
        var result = tape.Result(xTD.RequiresGradient, layout.Sequences, width);
        var kernels = tape.Kernels;
        var x = xTD.Data;
        var y = result.Data;
        tape.Workers.Run(layout.Sequences, xTD.Length, (sequence, _) =>
        {
            var mean = y + (long)sequence * width;
            new Span<float>(mean, width).Clear();
            for (var token = layout.Offsets[sequence]; token < layout.Offsets[sequence + 1]; token++)
            {
                if (layout.IsToken(token))
                    kernels.Add(mean, x + (long)token * width, mean, width);
            }

            kernels.Scale(1f / Math.Max(1, CountTokens(layout, sequence)), mean, mean, width);
        });
        tape.Record(result, () => Backward(tape, xTD, layout, result));
        return result;
    }

    private static void Backward(ManagedTape tape, ManagedTensor xTD, SequenceLayout layout, ManagedTensor result)
    {
        var width = xTD.Columns;
        var kernels = tape.Kernels;
        var dX = xTD.GradientToAdd();
        var dY = result.Gradient;
        tape.Workers.Run(layout.Sequences, xTD.Length, (sequence, _) =>
        {
            var share = 1f / Math.Max(1, CountTokens(layout, sequence));
            for (var token = layout.Offsets[sequence]; token < layout.Offsets[sequence + 1]; token++)
            {
                if (layout.IsToken(token))
                    kernels.AddScaled(share, dY + (long)sequence * width, dX + (long)token * width, width);
            }
        });
    }

    private static int CountTokens(SequenceLayout layout, int sequence)
    {
        var count = 0;
        for (var token = layout.Offsets[sequence]; token < layout.Offsets[sequence + 1]; token++)
            count += layout.IsToken(token) ? 1 : 0;
        return count;
    }
}
