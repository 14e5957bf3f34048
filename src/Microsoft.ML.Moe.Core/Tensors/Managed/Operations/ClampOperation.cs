namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>y = min(max(x, minimum), maximum). The gradient passes where x lies within the bounds.</summary>
internal readonly unsafe struct ClampOperation(ManagedTensor x, float minimum, float maximum, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor x, float minimum, float maximum)
    {
        var result = tape.Result(x.RequiresGradient, x.Shape);
        Blocks.Run(tape, x.Length, new Bounds(x.Data, result.Data, minimum, maximum));
        tape.Record(result, new ClampOperation(x, minimum, maximum, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var dX = x.GradientToWrite(out var accumulate);
        Blocks.Run(tape, x.Length, new Gradient(x.Data, result.Gradient, dX, minimum, maximum, accumulate));
    }

    private readonly struct Bounds(float* x, float* y, float minimum, float maximum) : IBlockBody
    {
        public void Run(int start, int count)
        {
            for (var i = start; i < start + count; i++)
                y[i] = Math.Clamp(x[i], minimum, maximum);
        }
    }

    private readonly struct Gradient(float* x, float* dY, float* dX, float minimum, float maximum, bool accumulate) : IBlockBody
    {
        public void Run(int start, int count)
        {
            for (var i = start; i < start + count; i++)
            {
                var gradient = x[i] >= minimum && x[i] <= maximum ? dY[i] : 0f;
                dX[i] = accumulate ? dX[i] + gradient : gradient;
            }
        }
    }
}
