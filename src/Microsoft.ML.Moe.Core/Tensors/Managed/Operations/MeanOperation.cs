namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>The mean of all elements, summed in double precision in their order. Each element's gradient is that of the mean over n.</summary>
internal readonly unsafe struct MeanOperation(ManagedTensor x, ManagedTensor result) : IOperation
{
    public static ManagedTensor Forward(ManagedTape tape, ManagedTensor x)
    {
        var result = tape.Result(x.RequiresGradient, 1);
        var values = x.Data;
        var sum = 0.0;
        for (var i = 0; i < x.Length; i++)
            sum += values[i];
        *result.Data = (float)(sum / Math.Max(1, x.Length));
        tape.Record(result, new MeanOperation(x, result));
        return result;
    }

    public void Backward(ManagedTape tape)
    {
        var gradient = new Span<float>(x.GradientToAdd(), x.Length);
        var share = *result.Gradient / Math.Max(1, x.Length);
        foreach (ref var element in gradient)
            element += share;
    }
}
