namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Largest value over each sequence's tokens; the first token that holds it receives the gradient.</summary>
internal static unsafe class MaxPoolOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor xTD, SequenceLayout layout)
    {
        Check.Tokens(xTD, layout);
        var width = xTD.Columns;
        var result = tape.Result(xTD.RequiresGradient, layout.Sequences, width);
        var winners = (result.RequiresGradient ? tape.Memory : tape.Scratch).AllocateIntegers(result.Length);
        var kernels = tape.Kernels;
        var x = xTD.Data;
        var y = result.Data;
        tape.Workers.Run(layout.Sequences, xTD.Length, (sequence, _) =>
        {
            var best = y + (long)sequence * width;
            var winner = winners + (long)sequence * width;
            var found = false;
            for (var token = layout.Offsets[sequence]; token < layout.Offsets[sequence + 1]; token++)
            {
                if (!layout.IsToken(token))
                    continue;
                var row = x + (long)token * width;
                if (found)
                {
                    kernels.TakeLarger(row, token, best, winner, width);
                    continue;
                }

                new Span<float>(row, width).CopyTo(new Span<float>(best, width));
                new Span<int>(winner, width).Fill(token);
                found = true;
            }

            if (found)
                return;
            new Span<float>(best, width).Clear();
            new Span<int>(winner, width).Fill(-1);
        });
        tape.Record(result, () => Backward(xTD, result, winners));
        return result;
    }

    private static void Backward(ManagedTensor xTD, ManagedTensor result, int* winners)
    {
        var dX = xTD.GradientToAdd();
        var dY = result.Gradient;
        var width = xTD.Columns;
        for (var i = 0; i < result.Length; i++)
        {
            if (winners[i] >= 0)
                dX[(long)winners[i] * width + i % width] += dY[i];
        }
    }
}
