namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>y = activation(x·W + b). Gradients: dZ = dY∘activation'(z), dX = dZ·Wᵀ, dW = xᵀ·dZ, db = Σ rows of dZ.</summary>
internal readonly unsafe struct LinearOperation(
    ManagedTensor x, ManagedTensor weightIO, ManagedTensor? bias, Activation activation, float* z, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(
        ManagedTape tape, ManagedTensor x, ManagedTensor weightIO, ManagedTensor? bias, Activation activation)
    {
        var inputs = weightIO.Shape[0];
        var outputs = weightIO.Shape[1];
        var requiresGradient = x.RequiresGradient || weightIO.RequiresGradient || bias is { RequiresGradient: true };
        Span<int> shape = stackalloc int[x.Rank];
        x.Shape.CopyTo(shape);
        shape[^1] = outputs;
        var result = tape.Result(requiresGradient, shape);
        var rows = Dimensions.LeadingRows(x);
        var y = result.Data;
        var z = result.RequiresGradient && activation != Activation.None ? tape.Memory.Allocate(result.Length) : y;
        var epilogue = new Epilogue(bias is null ? null : bias.Data, activation, y);
        var weight = weightIO.FactorFor(tape, rows);
        Gemm.Multiply(tape, rows, new Matrix(x.Data, inputs), weight, z, false, epilogue);
        tape.Record(result, new LinearOperation(x, weightIO, bias, activation, z, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var rows = Dimensions.LeadingRows(x);
        var inputs = weightIO.Shape[0];
        var outputs = weightIO.Shape[1];
        var dZ = result.Gradient;
        if (activation != Activation.None)
        {
            // z is not needed any more: its gradient takes its place.
            Blocks.Run(tape, result.Length, new ThroughActivation(tape.Kernels, activation, z, dZ));
            dZ = z;
        }

        if (x.RequiresGradient)
        {
            var dX = x.GradientToWrite(out var accumulate);
            var weightOI = weightIO.FactorFor(tape, rows, isTransposed: true);
            Gemm.Multiply(tape, rows, new Matrix(dZ, outputs), weightOI, dX, accumulate);
        }

        if (weightIO.RequiresGradient)
        {
            var dW = weightIO.GradientToWrite(out var accumulate);
            var right = SecondFactor.Prepare(tape, new Matrix(dZ, outputs), outputs, rows, inputs);
            Gemm.Multiply(tape, inputs, new Matrix(x.Data, inputs, isTransposed: true), right, dW, accumulate);
        }

        if (bias is { RequiresGradient: true })
            Dimensions.AddRows(tape, dZ, rows, outputs, bias.GradientToAdd());
    }

    private readonly struct ThroughActivation(Kernels kernels, Activation activation, float* z, float* dY) : IBlockBody
    {
        public void Run(int start, int count) => kernels.ActivateBackward(activation, z + start, dY + start, z + start, count);
    }
}
