namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// y = r·x with r = 1/max(|x|, ε). Gradient: dX = r·(dY − y·⟨y, dY⟩); r·dY alone where |x| is below ε, so that r does not depend on x.
/// </summary>
internal readonly unsafe struct NormalizeOperation(ManagedTensor x, float* inverses, ManagedTensor result) : IOperation
{
    private const double Epsilon = 1e-12;

    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor x)
    {
        var result = tape.Result(x.RequiresGradient, x.Shape);
        var inverses = (result.RequiresGradient ? tape.Memory : tape.Scratch).Allocate(x.Rows);
        Blocks.RunRows(tape, x.Rows, x.Columns, new Rows(tape.Kernels, x.Columns, x.Data, result.Data, inverses));
        tape.Record(result, new NormalizeOperation(x, inverses, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var dX = x.GradientToWrite(out var accumulate);
        var body = new GradientRows(tape.Kernels, x.Columns, result.Data, result.Gradient, inverses, dX, accumulate);
        Blocks.RunRows(tape, x.Rows, x.Columns, body);
    }

    private readonly struct Rows(Kernels kernels, int columns, float* x, float* y, float* inverses) : IBlockBody
    {
        public void Run(int first, int count)
        {
            for (var row = first; row < first + count; row++)
            {
                var start = (long)row * columns;
                inverses[row] = (float)(1 / Math.Max(Math.Sqrt(Kernels.SumOfSquares(x + start, columns)), Epsilon));
                kernels.Scale(inverses[row], x + start, y + start, columns);
            }
        }
    }

    private readonly struct GradientRows(
        Kernels kernels, int columns, float* y, float* dY, float* inverses, float* dX, bool accumulate) : IBlockBody
    {
        public void Run(int first, int count)
        {
            for (var row = first; row < first + count; row++)
            {
                var start = (long)row * columns;
                var inverse = inverses[row];
                if (accumulate)
                    kernels.AddScaled(inverse, dY + start, dX + start, columns);
                else
                    kernels.Scale(inverse, dY + start, dX + start, columns);
                if (inverse < (float)(1 / Epsilon))
                    kernels.AddScaled(-inverse * kernels.Dot(y + start, dY + start, columns), y + start, dX + start, columns);
            }
        }
    }
}
