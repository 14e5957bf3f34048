namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Drops elements at random and scales the rest; the same mask, made again from its key, applies to the gradient.</summary>
internal readonly unsafe struct DropoutOperation(ManagedTensor x, float rate, uint key, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor x, float rate)
    {
        Check.Rate(rate);
        if (rate == 0f || !tape.IsTraining)
            return x;
        var result = tape.Result(x.RequiresGradient, x.Shape);
        var key = tape.NextRandomKey();
        Blocks.Run(tape, x.Length, new Masking(tape.Kernels, rate, key, x.Data, result.Data, accumulate: false));
        tape.Record(result, new DropoutOperation(x, rate, key, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var dX = x.GradientToWrite(out var accumulate);
        Blocks.Run(tape, x.Length, new Masking(tape.Kernels, rate, key, result.Gradient, dX, accumulate));
    }

    private readonly struct Masking(Kernels kernels, float rate, uint key, float* x, float* y, bool accumulate) : IBlockBody
    {
        private readonly float _factor = 1f / (1f - rate);
        private readonly uint _threshold = RandomBits.Threshold(rate);

        public void Run(int start, int count) =>
            kernels.Dropout(_factor, x + start, y + start, count, (uint)start, key, _threshold, accumulate);
    }
}
