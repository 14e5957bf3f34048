namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Element-wise product with a number; the gradient is scaled alike.</summary>
internal static unsafe class ScaleOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor x, float factor)
    {
        var result = tape.Result(x.RequiresGradient, x.Shape);
        var kernels = tape.Kernels;
        var source = x.Data;
        var target = result.Data;
        Blocks.Run(tape, x.Length, (start, count) => kernels.Scale(factor, source + start, target + start, count));
        tape.Record(result, () => Accumulate(tape, factor, result, x));
        return result;
    }

    /// <summary>Adds factor·gradient of a result to the gradient of an input of the same shape.</summary>
    public static void Accumulate(ManagedTape tape, float factor, ManagedTensor result, ManagedTensor input)
    {
        if (!input.RequiresGradient)
            return;
        var kernels = tape.Kernels;
        var dY = result.Gradient;
        var dX = input.GradientToWrite(out var accumulate);
        Blocks.Run(tape, input.Length, (start, count) =>
        {
            if (accumulate)
                kernels.AddScaled(factor, dY + start, dX + start, count);
            else
                kernels.Scale(factor, dY + start, dX + start, count);
        });
    }
}
