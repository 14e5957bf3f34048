namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Element-wise product with a number; the gradient is scaled alike.</summary>
internal readonly unsafe struct ScaleOperation(ManagedTensor x, float factor, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor x, float factor)
    {
        var result = tape.Result(x.RequiresGradient, x.Shape);
        Blocks.Run(tape, x.Length, new Product(tape.Kernels, factor, x.Data, result.Data, accumulate: false));
        tape.Record(result, new ScaleOperation(x, factor, result));
        return result;
    }

    public void Backward(ManagedTape tape) => Accumulate(tape, factor, result, x);

    /// <summary>Adds factor·gradient of a result to the gradient of an input of the same shape.</summary>
    public static void Accumulate(ManagedTape tape, float factor, ManagedTensor result, ManagedTensor input)
    {
        if (!input.RequiresGradient)
            return;
        var dX = input.GradientToWrite(out var accumulate);
        Blocks.Run(tape, input.Length, new Product(tape.Kernels, factor, result.Gradient, dX, accumulate));
    }

    private readonly struct Product(Kernels kernels, float factor, float* x, float* y, bool accumulate) : IBlockBody
    {
        public void Run(int start, int count)
        {
            if (accumulate)
                kernels.AddScaled(factor, x + start, y + start, count);
            else
                kernels.Scale(factor, x + start, y + start, count);
        }
    }
}
