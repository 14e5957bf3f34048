namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>y = activation(x), element by element. Gradient: dx = dy∘activation'(x).</summary>
internal readonly unsafe struct ActivateOperation(ManagedTensor x, Activation activation, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor x, Activation activation)
    {
        var result = tape.Result(x.RequiresGradient, x.Shape);
        Blocks.Run(tape, x.Length, new Values(tape.Kernels, activation, x.Data, result.Data));
        tape.Record(result, new ActivateOperation(x, activation, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        if (!x.RequiresGradient)
            return;
        var dX = x.GradientToWrite(out var accumulate);
        Blocks.Run(tape, x.Length, new Gradient(tape.Kernels, activation, x.Data, result.Gradient, dX, accumulate));
    }

    private readonly struct Values(Kernels kernels, Activation activation, float* x, float* y) : IBlockBody
    {
        public void Run(int start, int count) => kernels.Activate(activation, x + start, y + start, count);
    }

    private readonly struct Gradient(Kernels kernels, Activation activation, float* x, float* dY, float* dX, bool accumulate) : IBlockBody
    {
        public void Run(int start, int count)
        {
            // the result's gradient is not needed any more: what goes to the input may take its place
            var target = accumulate ? dY : dX;
            kernels.ActivateBackward(activation, x + start, dY + start, target + start, count);
            if (accumulate)
                kernels.Add(dX + start, dY + start, dX + start, count);
        }
    }
}
