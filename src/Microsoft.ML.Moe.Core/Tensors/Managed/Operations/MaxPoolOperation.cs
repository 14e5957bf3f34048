namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Largest value over each sequence's tokens; the first token that holds it receives the gradient.</summary>
internal readonly unsafe struct MaxPoolOperation(ManagedTensor xTD, int* winners, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor xTD, SequenceLayout layout)
    {
        var result = tape.Result(xTD.RequiresGradient, layout.Sequences, xTD.Columns);
        var winners = (result.RequiresGradient ? tape.Memory : tape.Scratch).AllocateIntegers(result.Length);
        var body = new Largest(tape.Kernels, layout, xTD.Columns, xTD.Data, result.Data, winners);
        tape.Workers.Run(layout.Sequences, xTD.Length, body);
        tape.Record(result, new MaxPoolOperation(xTD, winners, result));
        return result;
    }

    public void Backward(ManagedTape tape)
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

    private readonly struct Largest(Kernels kernels, SequenceLayout layout, int width, float* x, float* y, int* winners) : ILoopBody
    {
        public void Run(int sequence, int worker)
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
        }
    }
}
