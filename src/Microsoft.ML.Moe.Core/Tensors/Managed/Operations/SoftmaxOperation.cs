namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>y = softmax(x) over the last dimension; dX = y∘(dY − ⟨y, dY⟩).</summary>
internal static unsafe class SoftmaxOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor x)
    {
        Check.AtLeastRank(x, 1);
        var result = tape.Result(x.RequiresGradient, x.Shape);
        var kernels = tape.Kernels;
        var columns = x.Columns;
        var source = x.Data;
        var target = result.Data;
        Blocks.RunRows(tape, x.Rows, columns, (first, count) =>
        {
            for (var row = first; row < first + count; row++)
                kernels.Softmax(1f, source + (long)row * columns, target + (long)row * columns, columns);
        });
        tape.Record(result, () => Backward(tape, x, result));
        return result;
    }

    private static void Backward(ManagedTape tape, ManagedTensor x, ManagedTensor result)
    {
        var kernels = tape.Kernels;
        var columns = x.Columns;
        var y = result.Data;
        var dY = result.Gradient;
        var dX = x.GradientToWrite(out var accumulate);
        Blocks.RunRows(tape, x.Rows, columns, (first, count) =>
        {
            for (var row = first; row < first + count; row++)
            {
                var start = (long)row * columns;
                kernels.SoftmaxBackward(1f, y + start, dY + start, dX + start, columns, accumulate);
            }
        });
    }
}
