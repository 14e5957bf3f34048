namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>A parameter with its moments, which are made at the first step. For sparse rows every row counts its own steps.</summary>
internal sealed unsafe class AdamWState(ManagedTensor tensor, ParameterGroup group)
{
    private const int RowsPerItem = 32;
    private MemoryBlock? _moment1;
    private MemoryBlock? _moment2;
    private int[]? _stepsOfRow;

    public ManagedTensor Tensor => tensor;

    public ParameterGroup Group => group;

    public float* Moment1 => (_moment1 ??= new MemoryBlock(tensor.Length, zeroed: true)).Data;

    public float* Moment2 => (_moment2 ??= new MemoryBlock(tensor.Length, zeroed: true)).Data;

    /// <summary>Updates the rows that have a gradient.</summary>
    public void StepRows(ManagedEngine engine, float learningRateFactor)
    {
        var touched = tensor.SparseRows!.Touched;
        if (touched.Count == 0)
            return;
        var width = tensor.SparseRows.Width;
        var steps = _stepsOfRow ??= new int[tensor.Shape[0]];
        var (value, gradient, moment1, moment2) = ((nint)tensor.Data, (nint)tensor.Gradient, (nint)Moment1, (nint)Moment2);
        engine.Workers.Run((touched.Count + RowsPerItem - 1) / RowsPerItem, (long)touched.Count * width, (item, _) =>
        {
            for (var i = item * RowsPerItem; i < Math.Min(touched.Count, (item + 1) * RowsPerItem); i++)
            {
                var row = touched[i];
                var start = (long)row * width;
                var step = AdamWStep.Create(group, 1f, learningRateFactor, ++steps[row]);
                engine.Kernels.AdamW(
                    step, (float*)value + start, (float*)gradient + start, (float*)moment1 + start, (float*)moment2 + start, width);
            }
        });
    }
}
