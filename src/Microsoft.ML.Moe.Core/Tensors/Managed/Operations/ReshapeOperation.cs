namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>A copy in another shape; the gradient goes back as it is.</summary>
internal readonly unsafe struct ReshapeOperation(ManagedTensor x, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor x, ReadOnlySpan<int> shape)
    {
        var result = tape.Result(x.RequiresGradient, shape);
        Buffer.MemoryCopy(x.Data, result.Data, sizeof(float) * (long)result.Length, sizeof(float) * (long)x.Length);
        tape.Record(result, new ReshapeOperation(x, result));
        return result;
    }

    public void Backward(ManagedTape tape) => ScaleOperation.Accumulate(tape, 1f, result, x);
}
