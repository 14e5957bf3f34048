using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>A parameter with its moments, which are made at the first step. For sparse rows every row counts its own steps.</summary>
internal sealed unsafe class AdamWState(ManagedTensor tensor, ParameterGroup group)
{
    private const int RowsPerItem = 32;
    private const int RowsAhead = 2;
    private const int FloatsPerLine = 16;

    // By steps taken before; one more for each step of the optimiser, which no row can outdo.
    private readonly List<BiasCorrection> _corrections = [];
    private MemoryBlock? _moments;
    private int[]? _stepsOfRow;

    public ManagedTensor Tensor => tensor;

    public ParameterGroup Group => group;

    /// <summary>First moments, then second moments; for sparse rows, both of a row side by side.</summary>
    public float* Moments => (_moments ??= new MemoryBlock(2L * tensor.Length, zeroed: true)).Data;

    /// <summary>Updates the rows that have a gradient.</summary>
    public void StepRows(ManagedEngine engine, float learningRateFactor)
    {
        var sparse = tensor.SparseGradient!;
        var touched = sparse.Touched;
        if (touched.Count == 0)
            return;
        var width = sparse.Width;
        var stepsOfRow = _stepsOfRow ??= new int[tensor.Shape[0]];
        _corrections.Add(BiasCorrection.At(group, _corrections.Count + 1));
        var value = tensor.Data;
        var moments = Moments;
        engine.Workers.Run((touched.Count + RowsPerItem - 1) / RowsPerItem, 4L * touched.Count * width, (item, _) =>
        {
            for (var slot = item * RowsPerItem; slot < Math.Min(touched.Count, (item + 1) * RowsPerItem); slot++)
            {
                if (slot + RowsAhead < touched.Count)
                    Prefetch(value, moments, touched[slot + RowsAhead], width);
                var row = touched[slot];
                var step = AdamWStep.Create(group, 1f, learningRateFactor, _corrections[stepsOfRow[row]++]);
                var m = moments + 2L * row * width;
                engine.Kernels.AdamW(step, value + (long)row * width, sparse.Slot(slot), m, m + width, width);
            }
        });
    }

    // The rows are all over a large table: without a hint the processor would wait for every one of them.
    private static void Prefetch(float* value, float* moments, int row, int width)
    {
        if (!Sse.IsSupported)
            return;
        for (var i = 0; i < width; i += FloatsPerLine)
        {
            Sse.Prefetch0(value + (long)row * width + i);
            Sse.Prefetch0(moments + 2L * row * width + i);
            Sse.Prefetch0(moments + (2L * row + 1) * width + i);
        }
    }
}
