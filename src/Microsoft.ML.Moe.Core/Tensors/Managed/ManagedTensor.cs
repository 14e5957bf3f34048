namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// A tensor of the managed engine: a parameter, which owns its memory, or a result, whose memory belongs to its tape.
/// The gradient's memory is taken when the first contribution arrives.
/// </summary>
internal sealed unsafe class ManagedTensor : Tensor
{
    private readonly ManagedTensor? _source;
    private readonly MemoryBlock? _values;
    private readonly StoredMatrices? _stored;
    private float* _data;
    private MemoryBlock? _gradientBlock;
    private float* _gradient;
    private int[]? _groupOfRow;
    private bool _requiresGradient;
    private PackedMatrices? _packed;
    private PackedMatrices? _packedTransposed;
    private bool _keepsPacked;
    private long _version;

    /// <summary>Creates a parameter, with zeros or any values.</summary>
    public ManagedTensor(ManagedEngine engine, bool sparseRows, ReadOnlySpan<int> shape, bool zeroed = false)
        : base(shape)
    {
        Engine = engine;
        _values = new MemoryBlock(Length, zeroed);
        _data = _values.Data;
        SparseGradient = sparseRows ? new SparseGradient(shape[0], shape[0] == 0 ? 0 : Length / shape[0]) : null;
        _requiresGradient = true;
    }

    /// <summary>Creates a frozen parameter of matrices in bfloat16 or int8, which stay where they are.</summary>
    public ManagedTensor(ManagedEngine engine, ReadOnlySpan<int> shape, StoredMatrices values)
        : base(shape)
    {
        Engine = engine;
        _stored = values;
    }

    /// <summary>Creates a tape's tensor, which has still to <see cref="Become"/> one.</summary>
    public ManagedTensor(ManagedTape tape)
        : base([])
    {
        Engine = tape.Engine;
        Tape = tape;
    }

    /// <summary>Makes this a tensor without gradient, whatever it was before.</summary>
    /// <param name="data">The values, in the tape's memory.</param>
    /// <param name="requiresGradient">Whether a gradient is to be accumulated.</param>
    /// <param name="shape">Sizes of the dimensions.</param>
    /// <returns>This tensor.</returns>
    public ManagedTensor Become(float* data, bool requiresGradient, ReadOnlySpan<int> shape)
    {
        Reshape(shape);
        _data = data;
        _gradient = null;
        _requiresGradient = requiresGradient;
        ClearGradient();
        return this;
    }

    /// <summary>
    /// Creates a frozen view of a parameter: the same values, in another precision for inference with packed matrices of its own.
    /// </summary>
    public ManagedTensor(ManagedTensor source, InferencePrecision precision)
        : base(source.Shape)
    {
        Engine = source.Engine;
        Precision = precision;
        _source = source;
        _values = source._values;
        _data = source._data;
    }

    public ManagedEngine Engine { get; }

    /// <summary>What matrices are packed in.</summary>
    public InferencePrecision Precision { get; }

    /// <summary>The parameter that this is a view of; itself where it is none.</summary>
    public ManagedTensor Source => _source ?? this;

    /// <summary>The tape that the tensor belongs to; null for a parameter.</summary>
    public ManagedTape? Tape { get; }

    public override ElementType ElementType => _stored?.Type ?? ElementType.Float32;

    public override bool RequiresGradient => _requiresGradient;

    /// <summary>The gradient of a table with sparse rows; null for others.</summary>
    public SparseGradient? SparseGradient { get; }

    /// <summary>Which experts of stacked weights have a gradient; null for others.</summary>
    public TouchedExperts? TouchedExperts { get; private set; }

    /// <summary>One zero for each row of the first dimension, for <see cref="RowGroups"/>; a parameter keeps them, others take memory.</summary>
    public Span<int> GroupOfRow(Arena memory)
    {
        if (Tape is null)
            return _groupOfRow ??= new int[Shape[0]];
        var groups = new Span<int>(memory.AllocateIntegers(Shape[0]), Shape[0]);
        groups.Clear();
        return groups;
    }

    /// <summary>The values.</summary>
    /// <exception cref="InvalidOperationException">They are in bfloat16 or int8.</exception>
    public float* Data
    {
        get
        {
            ThrowIfDisposed();
            return _stored is null ? _data : throw new InvalidOperationException(
                $"A parameter {Check.Text(Shape)} in {Check.Text(ElementType)} is used by an operation that needs single precision: load it "
                + "as float32.");
        }
    }

    internal override StoredMatrices? Stored
    {
        get
        {
            ThrowIfDisposed();
            return _stored;
        }
    }

    /// <summary>One of the matrices, those of the last two dimensions, as a factor of products.</summary>
    /// <param name="number">Number of the matrix; 0 where it is the only one.</param>
    /// <param name="isTransposed">Whether the factor is its transpose.</param>
    public Matrix Matrix(int number = 0, bool isTransposed = false)
    {
        return Stored is { } stored
            ? stored.Matrix(number, isTransposed)
            : new Matrix(Data + (long)number * Shape[^2] * Columns, Columns, isTransposed);
    }

    /// <summary>Grows with every change of the values.</summary>
    public long Version => Volatile.Read(ref Source._version);

    /// <summary>Whether a gradient has arrived; for sparse rows see <see cref="SparseGradient"/>.</summary>
    public bool HasGradient { get; private set; }

    /// <summary>What is stored of the gradient; only where <see cref="HasGradient"/>.</summary>
    public float* Gradient => _gradient;

    /// <summary>The gradient is this times what is stored: clipping needs no pass over memory of its own.</summary>
    public float GradientFactor { get; set; } = 1f;

    /// <summary>Notes that the values have changed.</summary>
    public void Changed() => Interlocked.Increment(ref Source._version);

    /// <summary>
    /// The parameter's matrices packed for products with many passes to come, or null where values change too often: in training, unless
    /// <see cref="KeepPackedWhileTraining"/> says otherwise, and for a tape's own tensors.
    /// </summary>
    /// <param name="tape">Of the product.</param>
    /// <param name="isTransposed">Whether their transposes are wanted.</param>
    public PackedMatrices? PackedFor(ManagedTape tape, bool isTransposed = false)
    {
        if ((tape.IsTraining && !_keepsPacked) || Tape is not null || _stored is not null)
            return null;
        if (_source is not null && _source.Precision == Precision)
            return _source.PackedFor(tape, isTransposed);
        ref var packed = ref isTransposed ? ref _packedTransposed : ref _packed;
        if (packed is null)
        {
            if (!PackedMatrices.Fits(this))
                return null;
            Interlocked.CompareExchange(ref packed, new PackedMatrices(this, isTransposed), null);
        }

        return packed.Update(tape);
    }

    /// <summary>The parameter's only matrix as the second factor of a product: kept packed where that pays, else made ready for this product.</summary>
    /// <param name="tape">Of the product.</param>
    /// <param name="rows">Rows that are multiplied with it.</param>
    /// <param name="isTransposed">Whether the factor is its transpose.</param>
    public SecondFactor FactorFor(ManagedTape tape, int rows, bool isTransposed = false) => PackedFor(tape, isTransposed) is { } packed
        ? packed[0]
        : SecondFactor.Prepare(tape, Matrix(isTransposed: isTransposed), Shape[isTransposed ? ^2 : ^1], Shape[isTransposed ? ^1 : ^2], rows);

    internal override void KeepPackedWhileTraining(bool isKept)
    {
        _keepsPacked = isKept;
        if (!isKept)
            _packedTransposed = null;
    }

    /// <summary>The gradient, to add to: zeros at first.</summary>
    public float* GradientToAdd()
    {
        var gradient = GradientToWrite(out var accumulate);
        if (!accumulate)
            new Span<float>(gradient, Length).Clear();
        return gradient;
    }

    /// <summary>The gradient, to write all of.</summary>
    /// <param name="accumulate">Whether to add to what is there; if not, the content is arbitrary.</param>
    public float* GradientToWrite(out bool accumulate)
    {
        if (SparseGradient is not null)
        {
            accumulate = true;
            return SparseGradient.TouchAll();
        }

        accumulate = HasGradient;
        if (accumulate && TouchedExperts is not null)
            ClearUntouched();
        TouchedExperts?.TouchAll();
        return Memory();
    }

    /// <summary>The gradient of stacked weights, to write or to add to expert by expert.</summary>
    /// <param name="offsets">Where the pairs of each of E experts begin, and, last, where those of the last end.</param>
    /// <param name="writes">Receives for each of them what is to be done.</param>
    public float* GradientOfExperts(ReadOnlySpan<int> offsets, Span<ExpertWrite> writes)
    {
        if (TouchedExperts is null)
        {
            var gradient = GradientToWrite(out var accumulate);
            writes.Fill(accumulate ? ExpertWrite.Add : ExpertWrite.Overwrite);
            return gradient;
        }

        for (var expert = 0; expert < writes.Length; expert++)
        {
            writes[expert] = offsets[expert + 1] == offsets[expert] ? ExpertWrite.Leave
                : TouchedExperts.Touch(expert) ? ExpertWrite.Add
                : ExpertWrite.Overwrite;
        }

        return Memory();
    }

    private void ClearUntouched()
    {
        var length = Length / TouchedExperts!.Count;
        for (var expert = 0; expert < TouchedExperts.Count; expert++)
            if (!TouchedExperts[expert])
                new Span<float>(_gradient + (long)expert * length, length).Clear();
    }

    /// <summary>The gradient's memory, as something arrives.</summary>
    private float* Memory()
    {
        HasGradient = true;
        if (Tape is null)
            _gradient = (_gradientBlock ??= new MemoryBlock(Length)).Data;
        else if (_gradient == null)
            _gradient = Tape.Memory.Allocate(Length);
        if (GradientFactor != 1f)
        {
            Engine.Kernels.Scale(GradientFactor, _gradient, _gradient, Length);
            GradientFactor = 1f;
        }

        return _gradient;
    }

    /// <summary>
    /// Takes over the gradient of a result that no operation needs any more, instead of copying it; possible where this is a tape's
    /// tensor and has none yet.
    /// </summary>
    /// <returns>Whether nothing is left to do.</returns>
    public bool TakeGradient(ManagedTensor result)
    {
        if (!RequiresGradient)
            return true;
        if (Tape is null || HasGradient)
            return false;
        _gradient = result._gradient;
        HasGradient = true;
        result._gradient = null;
        result.ClearGradient();
        return true;
    }

    /// <summary>Makes the gradient zero.</summary>
    public void ClearGradient()
    {
        HasGradient = false;
        GradientFactor = 1f;
        SparseGradient?.Clear();
        TouchedExperts?.Clear();
    }

    internal override void StackExperts()
    {
        if (_stored is null && TouchedExperts is null && Shape[0] > 0)
            TouchedExperts = new TouchedExperts(Shape[0]);
    }

    internal override bool[]? ExpertsWithGradient => TouchedExperts?.ToArray();

    protected internal override void SetRequiresGradient(bool requiresGradient)
    {
        if (Tape is not null)
            throw new InvalidOperationException("Whether a tape's tensor requires a gradient follows from what it was made of.");
        if ((_source is not null || _stored is not null) && requiresGradient)
            throw new InvalidOperationException("A parameter in reduced precision, or one that others share, cannot be trained.");
        _requiresGradient = requiresGradient;
        ClearGradient();
    }

    public override void CopyTo(Span<float> destination)
    {
        ThrowIfDisposed();
        if (_stored is not null)
            _stored.CopyTo(0, destination[..Length]);
        else
            new ReadOnlySpan<float>(Data, Length).CopyTo(destination);
        GC.KeepAlive(this);
    }

    internal override void CopyTo(int first, Span<float> destination)
    {
        ThrowIfDisposed();
        CheckPart(first, destination.Length);
        if (_stored is not null)
            _stored.CopyTo(first, destination);
        else
            new ReadOnlySpan<float>(Data + first, destination.Length).CopyTo(destination);
        GC.KeepAlive(this);
    }

    internal override void CopyTo(KeptRows rows)
    {
        ThrowIfDisposed();
        if (_stored is not null)
            rows.Take(ToArray());
        else
            rows.Take(new ReadOnlySpan<float>(Data, Length));
        GC.KeepAlive(this);
    }

    internal override void CopyFrom(KeptRows rows)
    {
        ThrowIfDisposed();
        if (_stored is not null)
        {
            CopyFrom(rows.ToArray()); // says why not
            return;
        }

        rows.Put(new Span<float>(Data, Length));
        Changed();
        GC.KeepAlive(this);
    }

    internal override ushort[] ToBFloat16Array()
    {
        ThrowIfDisposed();
        if (_stored is null)
            return base.ToBFloat16Array();
        var bits = new ushort[Length];
        _stored.CopyTo(bits);
        GC.KeepAlive(this);
        return bits;
    }

    public override void CopyFrom(ReadOnlySpan<float> source)
    {
        if (source.Length != Length)
            throw new ArgumentException($"{source.Length} values for a tensor {Check.Text(Shape)}.", nameof(source));
        if (_stored is not null)
        {
            throw new InvalidOperationException(
                $"A parameter {Check.Text(Shape)} in {Check.Text(ElementType)} stays as it is: load it as float32.");
        }

        source.CopyTo(new Span<float>(Data, Length));
        Changed();
        GC.KeepAlive(this);
    }

    public override void CopyGradientTo(Span<float> destination)
    {
        ThrowIfDisposed();
        if (Tape is not null && RequiresGradient)
            throw new NotSupportedException("Gradients of parameters only are kept, not those of results.");
        var target = destination[..Length];
        if (SparseGradient is not null)
        {
            SparseGradient.CopyTo(target);
            return;
        }

        if (HasGradient && TouchedExperts is not null)
            ClearUntouched();
        if (HasGradient && GradientFactor == 1f)
            new ReadOnlySpan<float>(_gradient, Length).CopyTo(target);
        else
            for (var i = 0; i < target.Length; i++)
                target[i] = HasGradient ? GradientFactor * _gradient[i] : 0f;
        GC.KeepAlive(this);
    }

    internal override ParameterGradient? TakeGradient(GradientBuffers buffers)
    {
        ThrowIfDisposed();
        ParameterGradient? gradient = null;
        if (SparseGradient is { Touched.Count: > 0 } sparse)
        {
            var slots = Enumerable.Range(0, sparse.Touched.Count).OrderBy(slot => sparse.Touched[slot]).ToArray();
            var length = checked(slots.Length * sparse.Width);
            gradient = new ParameterGradient
            {
                Rows = [.. slots.Select(slot => sparse.Touched[slot])], Length = length, Memory = buffers.RentAtLeast(length),
            };
            for (var i = 0; i < slots.Length; i++)
                new ReadOnlySpan<float>(sparse.Slot(slots[i]), sparse.Width).CopyTo(gradient.Values.Slice(i * sparse.Width, sparse.Width));
        }
        else if (SparseGradient is null && HasGradient)
        {
            Memory();
            if (TouchedExperts is not null)
                ClearUntouched();
            gradient = new ParameterGradient { Length = Length, Memory = _gradientBlock!, Experts = TouchedExperts?.ToArray() };
            Keep(buffers.RentFree(Length));
        }

        ClearGradient();
        return gradient;
    }

    internal override void PutGradient(ParameterGradient? gradient, GradientBuffers buffers)
    {
        ThrowIfDisposed();
        ClearGradient();
        if (gradient is null)
            return;
        if (SparseGradient is { } sparse)
        {
            sparse.Reserve(gradient.Rows!.Length);
            for (var i = 0; i < gradient.Rows.Length; i++)
                gradient.Values.Slice(i * sparse.Width, sparse.Width)
                    .CopyTo(new Span<float>(sparse.Slot(sparse.Touch(gradient.Rows[i], out _)), sparse.Width));
            buffers.Return(gradient.Memory);
            return;
        }

        buffers.Return(_gradientBlock);
        Keep(gradient.Memory);
        HasGradient = true;
        for (var expert = 0; expert < TouchedExperts?.Count; expert++)
            if (gradient.Experts is not { } experts || experts[expert])
                TouchedExperts.Touch(expert);
    }

    /// <summary>Makes a block the memory of a parameter's gradient; null takes new memory when a gradient arrives.</summary>
    private void Keep(MemoryBlock? block)
    {
        _gradientBlock = block;
        _gradient = block is null ? null : block.Data;
    }

    private void ThrowIfDisposed()
    {
        ObjectDisposedException.ThrowIf(Engine.IsDisposed, Engine);
        if (Tape is not null)
            ObjectDisposedException.ThrowIf(Tape.IsDisposed, Tape);
    }
}
