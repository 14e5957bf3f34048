namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>y = softmax(x) over the last dimension; dX = y∘(dY − ⟨y, dY⟩).</summary>
internal readonly unsafe struct SoftmaxOperation(ManagedTensor x, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor x)
    {
        var result = tape.Result(x.RequiresGradient, x.Shape);
        Blocks.RunRows(tape, x.Rows, x.Columns, new Rows(tape.Kernels, x.Columns, x.Data, result.Data));
        tape.Record(result, new SoftmaxOperation(x, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var dX = x.GradientToWrite(out var accumulate);
        var body = new GradientRows(tape.Kernels, x.Columns, result.Data, result.Gradient, dX, accumulate);
        Blocks.RunRows(tape, x.Rows, x.Columns, body);
    }

    private readonly struct Rows(Kernels kernels, int columns, float* x, float* y) : IBlockBody
    {
        public void Run(int first, int count)
        {
            for (var row = first; row < first + count; row++)
                kernels.Softmax(1f, x + (long)row * columns, y + (long)row * columns, columns);
        }
    }

    private readonly struct GradientRows(Kernels kernels, int columns, float* y, float* dY, float* dX, bool accumulate) : IBlockBody
    {
        public void Run(int first, int count)
        {
            for (var row = first; row < first + count; row++)
            {
                var start = (long)row * columns;
                kernels.SoftmaxBackward(1f, y + start, dY + start, dX + start, columns, accumulate);
            }
        }
    }
}
