namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>r = x·yᵀ. Gradients: dX = dR·y, dY = dRᵀ·x; both go to the same tensor where x is y.</summary>
internal readonly unsafe struct MultiplyTransposedOperation(ManagedTensor xAD, ManagedTensor yBD, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor xAD, ManagedTensor yBD)
    {
        var (rows, columns, depth) = (xAD.Shape[0], yBD.Shape[0], xAD.Columns);
        var result = tape.Result(xAD.RequiresGradient || yBD.RequiresGradient, rows, columns);
        var yDB = SecondFactor.Prepare(tape, yBD.Matrix(isTransposed: true), columns, depth, rows);
        Gemm.Multiply(tape, rows, new Matrix(xAD.Data, depth), yDB, result.Data, accumulate: false);
        tape.Record(result, new MultiplyTransposedOperation(xAD, yBD, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var columns = yBD.Shape[0];
        AddProduct(tape, new Matrix(result.Gradient, columns), yBD, xAD);
        AddProduct(tape, new Matrix(result.Gradient, columns, isTransposed: true), xAD, yBD);
    }

    /// <summary>Adds left·right to the gradient of an input.</summary>
    private static void AddProduct(ManagedTape tape, Matrix left, ManagedTensor right, ManagedTensor input)
    {
        if (!input.RequiresGradient)
            return;
        var (rows, depth) = (input.Shape[0], right.Shape[0]);
        var factor = SecondFactor.Prepare(tape, right.Matrix(), right.Columns, depth, rows);
        if (depth == 0)
        {
            input.GradientToAdd();
            return;
        }

        var gradient = input.GradientToWrite(out var accumulate);
        Gemm.Multiply(tape, rows, left, factor, gradient, accumulate);
    }
}
