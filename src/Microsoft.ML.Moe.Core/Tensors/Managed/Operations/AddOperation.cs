namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Element-wise sum; both inputs receive the result's gradient.</summary>
internal readonly unsafe struct AddOperation(ManagedTensor left, ManagedTensor right, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor left, ManagedTensor right)
    {
        Check.Shape(right, left.Shape);
        var result = tape.Result(left.RequiresGradient || right.RequiresGradient, left.Shape);
        Blocks.Run(tape, left.Length, new Sum(tape.Kernels, left.Data, right.Data, result.Data));
        tape.Record(result, new AddOperation(left, right, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        ScaleOperation.Accumulate(tape, 1f, result, left);
        ScaleOperation.Accumulate(tape, 1f, result, right);
    }

    private readonly struct Sum(Kernels kernels, float* x, float* y, float* sum) : IBlockBody
    {
        public void Run(int start, int count) => kernels.Add(x + start, y + start, sum + start, count);
    }
}
