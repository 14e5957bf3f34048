namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Element-wise product, y = left∘right. Gradients: dLeft = dY∘right, dRight = dY∘left.</summary>
internal readonly unsafe struct MultiplyOperation(ManagedTensor left, ManagedTensor right, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor left, ManagedTensor right)
    {
        var result = tape.Result(left.RequiresGradient || right.RequiresGradient, left.Shape);
        Blocks.Run(tape, left.Length, new Product(tape.Kernels, left.Data, right.Data, result.Data, accumulate: false));
        tape.Record(result, new MultiplyOperation(left, right, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        Accumulate(tape, right, left);
        Accumulate(tape, left, right);
    }

    private void Accumulate(ManagedTape tape, ManagedTensor factor, ManagedTensor input)
    {
        if (!input.RequiresGradient)
            return;
        var dInput = input.GradientToWrite(out var accumulate);
        Blocks.Run(tape, input.Length, new Product(tape.Kernels, result.Gradient, factor.Data, dInput, accumulate));
    }

    private readonly struct Product(Kernels kernels, float* x, float* y, float* product, bool accumulate) : IBlockBody
    {
        public void Run(int start, int count)
        {
            if (accumulate)
                kernels.AddProduct(x + start, y + start, product + start, count);
            else
                kernels.Multiply(x + start, y + start, product + start, count);
        }
    }
}
