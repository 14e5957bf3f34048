namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// The attention of single heads over single sequences; see <see cref="AttentionOperation"/>. Scores and probabilities stand by key, with
/// queries side by side: their softmax then runs through vectors of queries, and both products with them read them as they are.
/// </summary>
internal readonly unsafe struct AttentionHeads
{
    /// <summary>Queries of which the backward pass holds gradients of scores at once; bounds its memory for long sequences.</summary>
    private const int QueryBlock = 128;

    private readonly Kernels _kernels;
    private readonly SequenceLayout _layout;
    private readonly int _headWidth;
    private readonly float _scale;
    private readonly float _dropout;
    private readonly uint _key;
    private readonly long* _firstScores;
    private readonly long* _probabilityOffsets;

    /// <summary>Prepares the heads.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="memory">Holds where each sequence's probabilities lie.</param>
    /// <param name="layout">Sequences within T.</param>
    /// <param name="heads">H.</param>
    /// <param name="headWidth">D/H.</param>
    /// <param name="dropout">Rate at which probabilities are dropped.</param>
    public AttentionHeads(ManagedTape tape, Arena memory, SequenceLayout layout, int heads, int headWidth, float dropout)
    {
        _kernels = tape.Kernels;
        _layout = layout;
        _headWidth = headWidth;
        _scale = 1f / MathF.Sqrt(headWidth);
        _dropout = dropout;
        _key = dropout > 0f ? tape.NextRandomKey() : 0;
        Heads = heads;
        _firstScores = (long*)memory.Allocate(4L * (layout.Sequences + 1));
        _probabilityOffsets = _firstScores + layout.Sequences + 1;
        _firstScores[0] = _probabilityOffsets[0] = 0;
        for (var sequence = 0; sequence < layout.Sequences; sequence++)
        {
            var length = Length(sequence);
            _firstScores[sequence + 1] = _firstScores[sequence] + (long)heads * length * length;
            _probabilityOffsets[sequence + 1] = _probabilityOffsets[sequence] + heads * ProbabilitiesOfHead(length);
        }
    }

    public int Heads { get; }

    public int Sequences => _layout.Sequences;

    /// <summary>Floats that the probabilities of all heads take.</summary>
    public long ProbabilitiesLength => _probabilityOffsets[_layout.Sequences];

    /// <summary>Multiply–adds of a forward pass.</summary>
    public long MultiplyAdds => 2 * _firstScores[_layout.Sequences] * _headWidth;

    /// <summary>Floats that a worker needs for <see cref="Forward"/>: keys, values, some queries, two of their scores.</summary>
    public long ForwardScratchLength =>
        2L * Rows(_layout.MaxLength) * Columns(_headWidth) + (_headWidth + 2L * Rows(_layout.MaxLength)) * _kernels.TileColumns;

    /// <summary>Floats that a worker needs for <see cref="Backward"/>.</summary>
    public long BackwardScratchLength =>
        4L * Rows(_layout.MaxLength) * Columns(_headWidth) + (_headWidth + 2L * Rows(_layout.MaxLength)) * QueryBlock;

    /// <summary>Computes one head's columns of one sequence's rows of the result.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="head">The head.</param>
    /// <param name="qkv">Queries, keys and values.</param>
    /// <param name="y">The result.</param>
    /// <param name="probabilities">Keeps the probabilities for <see cref="Backward"/>; null where there is none.</param>
    /// <param name="scratch"><see cref="ForwardScratchLength"/> floats.</param>
    public void Forward(int sequence, int head, float* qkv, float* y, float* probabilities, float* scratch)
    {
        var length = Length(sequence);
        var start = _layout.Offsets[sequence];
        var (width, stride) = (_headWidth * Heads, (nint)3 * _headWidth * Heads);
        var q = qkv + start * stride + head * _headWidth;
        var output = y + (long)start * width + head * _headWidth;

        var keys = PaddedRows(q + width, stride, length, ref scratch);
        var values = WholeVectors(q + 2 * width, stride, length, ref scratch, out var valuesStride);
        var queries = Take(ref scratch, (long)_headWidth * _kernels.TileColumns);
        var kept = Take(ref scratch, (long)length * _kernels.TileColumns);
        for (var first = 0; first < length; first += _kernels.TileColumns)
        {
            var count = Math.Min(_kernels.TileColumns, length - first);
            var columns = Columns(count);
            var a = probabilities == null ? scratch : probabilities + ProbabilityOffset(sequence, head) + first;
            var aStride = probabilities == null ? columns : ProbabilityStride(length);
            Packing.PackRows(new Matrix(q, stride), first, count, 0, _headWidth, columns, queries);
            _kernels.MultiplyUnpacked(length, columns, _headWidth, keys, queries, columns, a, aStride, false);
            FillPadding(start, length, float.NegativeInfinity, a, aStride, columns);
            _kernels.SoftmaxColumns(_scale, a, aStride, length, count);
            FillPadding(start, length, 0f, a, aStride, columns);
            if (_dropout > 0f)
            {
                Drop(sequence, head, first, count, a, aStride, kept, columns);
                a = kept;
                aStride = columns;
            }

            var used = new Matrix(a, aStride, isTransposed: true);
            _kernels.MultiplyUnpacked(
                count, _headWidth, length, used, values, valuesStride, output + (long)first * width, width, false);
        }
    }

    /// <summary>Computes one head's columns of one sequence's rows of the gradient.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="head">The head.</param>
    /// <param name="qkv">Queries, keys and values.</param>
    /// <param name="probabilities">What <see cref="Forward"/> has kept.</param>
    /// <param name="dY">Gradient of the result.</param>
    /// <param name="dQkv">Receives the gradient.</param>
    /// <param name="accumulate">Whether to add to it.</param>
    /// <param name="scratch"><see cref="BackwardScratchLength"/> floats.</param>
    public void Backward(
        int sequence, int head, float* qkv, float* probabilities, float* dY, float* dQkv, bool accumulate, float* scratch)
    {
        var length = Length(sequence);
        var start = _layout.Offsets[sequence];
        var (width, stride) = (_headWidth * Heads, (nint)3 * _headWidth * Heads);
        var q = qkv + start * stride + head * _headWidth;
        var dQ = dQkv + start * stride + head * _headWidth;
        var dO = dY + (long)start * width + head * _headWidth;

        var values = PaddedRows(q + 2 * width, stride, length, ref scratch);
        var queries = WholeVectors(q, stride, length, ref scratch, out var queriesStride);
        var keys = WholeVectors(q + width, stride, length, ref scratch, out var keysStride);
        var outputs = WholeVectors(dO, width, length, ref scratch, out var outputsStride);
        var outputsTransposed = Take(ref scratch, (long)_headWidth * QueryBlock);
        var kept = Take(ref scratch, (long)Rows(length) * QueryBlock);
        var dS = scratch;
        for (var first = 0; first < length; first += QueryBlock)
        {
            var count = Math.Min(QueryBlock, length - first);
            var columns = Columns(count);
            var a = probabilities + ProbabilityOffset(sequence, head) + first;
            var aStride = ProbabilityStride(length);
            Packing.PackRows(new Matrix(dO, width), first, count, 0, _headWidth, columns, outputsTransposed);
            _kernels.MultiplyUnpacked(length, columns, _headWidth, values, outputsTransposed, columns, dS, columns, false);
            _kernels.SoftmaxColumnsBackward(
                _scale, a, aStride, dS, columns, 1f / (1f - _dropout), _dropout > 0f ? kept : null, length, count);

            var used = _dropout > 0f ? new Matrix(kept, columns) : new Matrix(a, aStride);
            var add = accumulate || first > 0;
            _kernels.MultiplyUnpacked(
                length, _headWidth, count, used, outputs + first * outputsStride, outputsStride, dQ + 2 * width, stride, add);
            var dSOfKeys = new Matrix(dS, columns);
            _kernels.MultiplyUnpacked(
                length, _headWidth, count, dSOfKeys, queries + first * queriesStride, queriesStride, dQ + width, stride, add);
            var dSOfQueries = new Matrix(dS, columns, isTransposed: true);
            _kernels.MultiplyUnpacked(
                count, _headWidth, length, dSOfQueries, keys, keysStride, dQ + first * stride, stride, accumulate);
        }
    }

    private int Length(int sequence) => _layout.Offsets[sequence + 1] - _layout.Offsets[sequence];

    private int Rows(int length) => RoundUp(length, _kernels.RowMultiple);

    private int Columns(int width) => RoundUp(width, _kernels.TileColumns / 2);

    private static int RoundUp(int number, int multiple) => (number + multiple - 1) / multiple * multiple;

    private int ProbabilityStride(int length) => Gemm.RowStride(Columns(length));

    private long ProbabilitiesOfHead(int length) => (long)Rows(length) * ProbabilityStride(length);

    private long ProbabilityOffset(int sequence, int head) =>
        _probabilityOffsets[sequence] + head * ProbabilitiesOfHead(Length(sequence));

    private static float* Take(ref float* scratch, long length)
    {
        var taken = scratch;
        scratch += length;
        return taken;
    }

    // A copy, since a product reads a few rows too many of its first factor.
    private Matrix PaddedRows(float* source, nint stride, int length, ref float* scratch)
    {
        var rows = Take(ref scratch, (long)Rows(length) * Columns(_headWidth));
        Packing.PackColumns(new Matrix(source, stride), 0, _headWidth, 0, length, Columns(_headWidth), rows);
        return new Matrix(rows, Columns(_headWidth));
    }

    // A second factor is read in whole vectors. A head whose rows are none has to be copied.
    private float* WholeVectors(float* source, nint stride, int length, ref float* scratch, out nint copiedStride)
    {
        copiedStride = stride;
        if (Columns(_headWidth) == _headWidth)
            return source;
        var rows = PaddedRows(source, stride, length, ref scratch);
        copiedStride = rows.Stride;
        return rows.Row(0);
    }

    private void FillPadding(int start, int length, float value, float* a, nint stride, int columns)
    {
        if (_layout.Mask.IsEmpty)
            return;
        for (var key = 0; key < length; key++)
        {
            if (!_layout.IsToken(start + key))
                new Span<float>(a + key * stride, columns).Fill(value);
        }
    }

    private void Drop(int sequence, int head, int firstQuery, int count, float* a, nint stride, float* kept, nint keptStride)
    {
        long length = Length(sequence);
        var first = (uint)(_firstScores[sequence] + (head * length + firstQuery) * length);
        _kernels.DropColumns(
            1f / (1f - _dropout), a, stride, kept, keptStride, (int)length, count, first, _key, RandomBits.Threshold(_dropout));
    }
}
