namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>The attention of single heads over single sequences; see <see cref="AttentionOperation"/>.</summary>
internal readonly unsafe struct AttentionHeads
{
    private readonly Kernels _kernels;
    private readonly SequenceLayout _layout;
    private readonly int _headWidth;
    private readonly float _scale;
    private readonly float _dropout;
    private readonly uint _key;
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
        _probabilityOffsets = (long*)memory.Allocate(2L * (layout.Sequences + 1));
        _probabilityOffsets[0] = 0;
        for (var sequence = 0; sequence < layout.Sequences; sequence++)
        {
            long length = Length(sequence);
            _probabilityOffsets[sequence + 1] = _probabilityOffsets[sequence] + heads * length * length;
        }
    }

    public int Heads { get; }

    public int Sequences => _layout.Sequences;

    /// <summary>Floats that the probabilities of all heads take.</summary>
    public long ProbabilitiesLength => _probabilityOffsets[_layout.Sequences];

    /// <summary>Multiply–adds of a forward pass.</summary>
    public long MultiplyAdds => 2 * ProbabilitiesLength * _headWidth;

    /// <summary>Floats that a worker needs for <see cref="Forward"/>: probabilities, a masked copy, a product.</summary>
    public long ForwardScratchLength => 2 * LongestSquare + ProductScratchLength;

    /// <summary>Floats that a worker needs for <see cref="Backward"/>: gradient and masked copy of probabilities, a product.</summary>
    public long BackwardScratchLength => 2 * LongestSquare + ProductScratchLength;

    private long LongestSquare => (long)_layout.MaxLength * _layout.MaxLength;

    private long ProductScratchLength => Math.Max(
        Gemm.SerialScratchLength(_kernels, _layout.MaxLength, _layout.MaxLength, _headWidth),
        Gemm.SerialScratchLength(_kernels, _layout.MaxLength, _headWidth, _layout.MaxLength));

    /// <summary>Computes one head's columns of one sequence's rows of the result.</summary>
    public void Forward(int sequence, int head, float* qkv, float* y, float* probabilities, float* scratch)
    {
        var length = Length(sequence);
        var start = _layout.Offsets[sequence];
        var (width, stride) = (_headWidth * Heads, (nint)3 * _headWidth * Heads);
        var q = qkv + start * stride + head * _headWidth;
        var a = probabilities == null ? scratch : probabilities + ProbabilityOffset(sequence, head);
        var masked = scratch + LongestSquare;
        var rest = masked + LongestSquare;

        var keys = new Matrix(q + width, stride, isTransposed: true);
        Gemm.MultiplySerial(_kernels, length, length, _headWidth, new Matrix(q, stride), keys, a, length, false, rest);
        var hasPadding = !_layout.Mask.IsEmpty;
        for (var row = 0; row < length; row++)
        {
            var scores = a + (long)row * length;
            for (var key = 0; hasPadding && key < length; key++)
            {
                if (!_layout.IsToken(start + key))
                    scores[key] = float.NegativeInfinity;
            }

            _kernels.Softmax(_scale, scores, scores, length);
        }

        if (_dropout > 0f)
        {
            Mask(sequence, head, a, masked, length);
            a = masked;
        }

        var values = new Matrix(q + 2 * width, stride);
        var output = y + (long)start * width + head * _headWidth;
        Gemm.MultiplySerial(_kernels, length, _headWidth, length, new Matrix(a, length), values, output, width, false, rest);
    }

    /// <summary>Computes one head's columns of one sequence's rows of the gradient.</summary>
    public void Backward(
        int sequence, int head, float* qkv, float* probabilities, float* dY, float* dQkv, bool accumulate, float* scratch)
    {
        var length = Length(sequence);
        var start = _layout.Offsets[sequence];
        var (width, stride) = (_headWidth * Heads, (nint)3 * _headWidth * Heads);
        var q = qkv + start * stride + head * _headWidth;
        var dQ = dQkv + start * stride + head * _headWidth;
        var dO = new Matrix(dY + (long)start * width + head * _headWidth, width);
        var a = probabilities + ProbabilityOffset(sequence, head);
        var dA = scratch;
        var masked = scratch + LongestSquare;
        var rest = masked + LongestSquare;

        var values = new Matrix(q + 2 * width, stride, isTransposed: true);
        Gemm.MultiplySerial(_kernels, length, length, _headWidth, dO, values, dA, length, false, rest);
        if (_dropout > 0f)
        {
            Mask(sequence, head, a, masked, length);
            Mask(sequence, head, dA, dA, length);
        }

        var used = new Matrix(_dropout > 0f ? masked : a, length, isTransposed: true);
        Gemm.MultiplySerial(_kernels, length, _headWidth, length, used, dO, dQ + 2 * width, stride, accumulate, rest);
        for (var row = 0L; row < length; row++)
            _kernels.SoftmaxBackward(_scale, a + row * length, dA + row * length, dA + row * length, length, false);
        var dS = new Matrix(dA, length);
        Gemm.MultiplySerial(_kernels, length, _headWidth, length, dS, new Matrix(q + width, stride), dQ, stride, accumulate, rest);
        var dSTransposed = new Matrix(dA, length, isTransposed: true);
        Gemm.MultiplySerial(
            _kernels, length, _headWidth, length, dSTransposed, new Matrix(q, stride), dQ + width, stride, accumulate, rest);
    }

    private int Length(int sequence) => _layout.Offsets[sequence + 1] - _layout.Offsets[sequence];

    private long ProbabilityOffset(int sequence, int head) =>
        _probabilityOffsets[sequence] + (long)head * Length(sequence) * Length(sequence);

    private void Mask(int sequence, int head, float* x, float* result, int length)
    {
        var first = (uint)ProbabilityOffset(sequence, head);
        var factor = 1f / (1f - _dropout);
        _kernels.Dropout(factor, x, result, length * length, first, _key, RandomBits.Threshold(_dropout), false);
    }
}
