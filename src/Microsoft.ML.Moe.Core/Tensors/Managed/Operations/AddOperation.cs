namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Element-wise sum; both inputs receive the result's gradient.</summary>
internal static unsafe class AddOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor left, ManagedTensor right)
    {
        Check.Shape(right, left.Shape);
        var result = tape.Result(left.RequiresGradient || right.RequiresGradient, left.Shape);
        var kernels = tape.Kernels;
        var x = left.Data;
        var y = right.Data;
        var sum = result.Data;
        Blocks.Run(tape, left.Length, (start, count) =>
            kernels.Add(x + start, y + start, sum + start, count));
        tape.Record(result, () =>
        {
            Accumulate(tape, result, left);
            Accumulate(tape, result, right);
        });
        return result;
    }

    private static void Accumulate(ManagedTape tape, ManagedTensor result, ManagedTensor input) =>
        ScaleOperation.Accumulate(tape, 1f, result, input);
}
