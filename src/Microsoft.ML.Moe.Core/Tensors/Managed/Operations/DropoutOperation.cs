namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Drops elements at random and scales the rest; the same mask, made again from its key, applies to the gradient.</summary>
internal static unsafe class DropoutOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor x, float rate)
    {
        Check.Rate(rate);
        if (rate == 0f || !tape.IsTraining)
            return x;
        var result = tape.Result(x.RequiresGradient, x.Shape);
        var key = tape.NextRandomKey();
        Run(tape, rate, key, x.Data, result.Data, x.Length, false);
        tape.Record(result, () =>
        {
            var dX = x.GradientToWrite(out var accumulate);
            Run(tape, rate, key, result.Gradient, dX, x.Length, accumulate);
        });
        return result;
    }

    private static void Run(ManagedTape tape, float rate, uint key, float* x, float* result, int length, bool accumulate)
    {
        var kernels = tape.Kernels;
        var threshold = RandomBits.Threshold(rate);
        var factor = 1f / (1f - rate);
        Blocks.Run(tape, length, (start, count) =>
            kernels.Dropout(factor, x + start, result + start, count, (uint)start, key, threshold, accumulate));
    }
}
