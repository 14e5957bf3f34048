namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Gradient of one of the experts' stacked matrices, leftᵀ·right over each expert's rows, and of the bias that belongs to it, the
/// sum of right's rows. One item of work is some columns of one expert.
/// </summary>
internal readonly unsafe struct ExpertWeightGradient
{
    private const int ColumnsPerItem = 128;
    private readonly Kernels _kernels;
    private readonly int _experts;
    private readonly int* _offsets;
    private readonly int* _tokenOfPair;
    private readonly Matrix _left;
    private readonly bool _isGathered;
    private readonly Matrix _right;
    private readonly int _height;
    private readonly int _columns;
    private readonly float* _gradient;
    private readonly ExpertWrite* _writes;
    private readonly float* _biasGradient;

    /// <summary>Prepares the gradient; nothing is to be done where neither the matrix nor the bias requires one.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="batch">The pairs.</param>
    /// <param name="left">What the matrix was multiplied with, transposed: by pair, or by token to be gathered.</param>
    /// <param name="isGathered">Whether <paramref name="left"/> is by token.</param>
    /// <param name="right">Gradient of the product, by pair.</param>
    /// <param name="weights">The matrices, [E, height, columns].</param>
    /// <param name="bias">[E, columns], or null.</param>
    public ExpertWeightGradient(
        ManagedTape tape, in ExpertBatch batch, Matrix left, bool isGathered, Matrix right, ManagedTensor weights, ManagedTensor? bias)
    {
        _kernels = tape.Kernels;
        _experts = batch.Experts.Count;
        _offsets = batch.Offsets;
        _tokenOfPair = batch.TokenOfPair;
        _left = left;
        _isGathered = isGathered;
        _right = right;
        _height = weights.Shape[1];
        _columns = weights.Shape[2];
        var offsets = new ReadOnlySpan<int>(_offsets, _experts + 1);
        _writes = (ExpertWrite*)tape.Scratch.AllocateIntegers(_experts);
        var writes = new Span<ExpertWrite>(_writes, _experts);
        _biasGradient = bias is { RequiresGradient: true } ? BiasGradient(bias, offsets, writes) : null;
        _gradient = weights.RequiresGradient ? weights.GradientOfExperts(offsets, writes) : null;
        var mostRows = 0;
        for (var expert = 0; expert < _experts; expert++)
            mostRows = Math.Max(mostRows, _offsets[expert + 1] - _offsets[expert]);
        ScratchLength = Gemm.SerialScratchLength(_kernels, _height, Math.Min(_columns, ColumnsPerItem), mostRows);
    }

    /// <summary>Items of work.</summary>
    public int Items => _gradient == null && _biasGradient == null ? 0 : _experts * ItemsPerExpert;

    /// <summary>Floats that an item needs.</summary>
    public long ScratchLength { get; }

    private int ItemsPerExpert => (_columns + ColumnsPerItem - 1) / ColumnsPerItem;

    /// <summary>Computes some columns of one expert's gradient.</summary>
    public void Run(int item, float* scratch)
    {
        var expert = item / ItemsPerExpert;
        var column = item % ItemsPerExpert * ColumnsPerItem;
        var columns = Math.Min(ColumnsPerItem, _columns - column);
        var first = _offsets[expert];
        var count = _offsets[expert + 1] - first;
        if (count == 0 && (_gradient == null || _writes[expert] != ExpertWrite.Overwrite))
            return;
        var right = _right.Row(first) + column;
        if (_biasGradient != null)
            _kernels.AddRows(right, count, _right.Stride, _biasGradient + (long)expert * _columns + column, columns);
        if (_gradient == null)
            return;
        var left = _isGathered
            ? new Matrix(_left.Row(0), _left.Stride, isTransposed: true, rowNumbers: _tokenOfPair + first)
            : new Matrix(_left.Row(first), _left.Stride, isTransposed: true);
        var target = _gradient + (long)expert * _height * _columns + column;
        var factor = new Matrix(right, _right.Stride);
        Gemm.MultiplySerial(_kernels, _height, columns, count, left, factor, target, _columns, _writes[expert] == ExpertWrite.Add, scratch);
    }

    // zeros to add to, where none were
    private static float* BiasGradient(ManagedTensor bias, ReadOnlySpan<int> offsets, Span<ExpertWrite> writes)
    {
        var gradient = bias.GradientOfExperts(offsets, writes);
        for (var expert = 0; expert < writes.Length; expert++)
            if (writes[expert] == ExpertWrite.Overwrite)
                new Span<float>(gradient + (long)expert * bias.Columns, bias.Columns).Clear();
        return gradient;
    }
}
