namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Drops elements at random and scales the rest; the same mask, made again from its key, applies to the gradient.</summary>
internal readonly unsafe struct DropoutOperation(ManagedTensor x, float rate, uint key, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor x, float rate)
    {
        var result = tape.Result(x.RequiresGradient, x.Shape);
        var key = tape.NextRandomKey();
        Blocks.Run(tape, x.Length, new Masking(tape.Kernels, rate, key, x.Data, null, result.Data));
        tape.Record(result, new DropoutOperation(x, rate, key, result));
        return result;
    }

    public void Backward(ManagedTape tape) => Accumulate(tape, rate, key, result, x);

    /// <summary>Adds the gradient of a result, where the input was kept, to the gradient of that input.</summary>
    public static void Accumulate(ManagedTape tape, float rate, uint key, ManagedTensor result, ManagedTensor input)
    {
        if (!input.RequiresGradient)
            return;
        var dX = input.GradientToWrite(out var accumulate);
        Blocks.Run(tape, input.Length, new Masking(tape.Kernels, rate, key, result.Gradient, accumulate ? dX : null, dX));
    }

    /// <summary>y = what is kept of x, scaled, plus <paramref name="added"/> unless that is null.</summary>
    internal readonly struct Masking(Kernels kernels, float rate, uint key, float* x, float* added, float* y) : IBlockBody
    {
        private readonly float _factor = 1f / (1f - rate);
        private readonly uint _threshold = RandomBits.Threshold(rate);

        public void Run(int start, int count) => kernels.Dropout(
            _factor, x + start, added == null ? null : added + start, y + start, count, (uint)start, key, _threshold);
    }
}
