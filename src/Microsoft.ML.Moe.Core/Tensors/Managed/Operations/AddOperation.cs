namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Element-wise sum, of which the second input may be dropped at random; both inputs receive the result's gradient, the second where it
/// was kept.
/// </summary>
internal readonly unsafe struct AddOperation(ManagedTensor left, ManagedTensor right, float rate, uint key, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor left, ManagedTensor right, float rate = 0f)
    {
        var key = rate > 0f ? tape.NextRandomKey() : 0;
        var result = tape.Result(left.RequiresGradient || right.RequiresGradient, left.Shape);
        if (rate > 0f)
            Blocks.Run(tape, left.Length, new DropoutOperation.Masking(tape.Kernels, rate, key, right.Data, left.Data, result.Data));
        else
            Blocks.Run(tape, left.Length, new Sum(tape.Kernels, left.Data, right.Data, result.Data));
        tape.Record(result, new AddOperation(left, right, rate, key, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        if (rate > 0f)
            DropoutOperation.Accumulate(tape, rate, key, result, right);
        else
            ScaleOperation.Accumulate(tape, 1f, result, right);
        if (!left.TakeGradient(result))
            ScaleOperation.Accumulate(tape, 1f, result, left);
    }

    private readonly struct Sum(Kernels kernels, float* x, float* y, float* sum) : IBlockBody
    {
        public void Run(int start, int count) => kernels.Add(x + start, y + start, sum + start, count);
    }
}
