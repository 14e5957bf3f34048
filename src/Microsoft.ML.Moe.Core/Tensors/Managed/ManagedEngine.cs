using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// The managed engine, in C#: SIMD kernels for 512-, 256- and 128-bit registers, pooled memory, its own threads. Needs no native library.
/// Results are the same to the last bit for any number of threads.
/// </summary>
public sealed class ManagedEngine : Engine
{
    private readonly Stack<TapeStorage> _tapeStorage = [];

    /// <summary>Creates the engine. Threads are started when the first operation needs them.</summary>
    /// <param name="threads">
    /// Threads that share an operation, the caller's included; at least 1. null for what <see cref="AppContext"/> has as
    /// <c>Microsoft.ML.Moe.Threads</c>, or else for <see cref="Environment.ProcessorCount"/>, which respects a container's limits.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="threads"/> is below 1.</exception>
    /// <exception cref="InvalidOperationException">The setting <c>Microsoft.ML.Moe.Threads</c> is no number, or below 1.</exception>
    public ManagedEngine(int? threads = null)
        : this(threads ?? DefaultThreads.Count, Kernels.Create())
    {
    }

    /// <summary>Creates the engine over given kernels, which divides even work below the usual where asked to.</summary>
    internal ManagedEngine(int threads, Kernels kernels, long smallestWork = WorkerPool.DefaultSmallestWork)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Workers = new WorkerPool(threads, smallestWork);
        Kernels = kernels;
    }

    /// <summary>Stops the threads of an engine that was never disposed.</summary>
    ~ManagedEngine() => Dispose(false);

    /// <inheritdoc/>
    public override string Description =>
        $"managed, {Workers.Threads} {(Workers.Threads == 1 ? "thread" : "threads")}, {Kernels.VectorBits}-bit vectors";

    internal override int VectorBits => Kernels.VectorBits;

    /// <inheritdoc/>
    public override long? PeakMemory => Blocks.PeakBytes;

    /// <inheritdoc/>
    public override long? PackedWeights => Blocks.KeptBytes;

    internal Kernels Kernels { get; }

    internal WorkerPool Workers { get; }

    internal BlockPool Blocks { get; } = new();

    internal bool IsDisposed { get; private set; }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException"><paramref name="values"/> are not as many as the shape asks for.</exception>
    public override Parameter CreateParameter(string name, ReadOnlySpan<int> shape, ReadOnlySpan<float> values, bool sparseRows = false)
    {
        var tensor = CreateTensor(name, shape, sparseRows);
        tensor.CopyFrom(values);
        return new Parameter(name, tensor, sparseRows);
    }

    /// <inheritdoc/>
    internal override unsafe Parameter CreateParameter(string name, int[] shape, InitialRow initialRow, bool sparseRows = false)
    {
        // in place: what stays zero is never written
        var tensor = CreateTensor(name, shape, sparseRows, zeroed: true);
        ForEachRow(shape, (row, columns) => initialRow(row, new Span<float>(tensor.Data + (long)row * columns, columns)));
        return new Parameter(name, tensor, sparseRows);
    }

    /// <inheritdoc/>
    internal override unsafe Parameter CreateParameter(string name, int[] shape, FillValues fill, bool sparseRows = false)
    {
        var tensor = CreateTensor(name, shape, sparseRows);
        fill(new Span<float>(tensor.Data, tensor.Length));
        return new Parameter(name, tensor, sparseRows);
    }

    /// <inheritdoc/>
    internal override bool KeepsStoredMatrices => true;

    /// <inheritdoc/>
    internal override Parameter CreateParameter(string name, int[] shape, BFloat16Values values)
    {
        ArgumentNullException.ThrowIfNull(name);
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        if (shape.Length < 2)
            throw new ArgumentException($"A parameter in bfloat16 needs two dimensions; '{name}' has {shape.Length}.", nameof(shape));
        Check.Length(values.Length, shape, nameof(values));
        return CreateParameter(name, shape, StoredMatrices.Of(values, shape));
    }

    /// <inheritdoc/>
    internal override Parameter CreateParameter(string name, int[] shape, StoredMatrices values)
    {
        ArgumentNullException.ThrowIfNull(name);
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        return values.Fits(shape) ? new Parameter(name, new ManagedTensor(this, shape, values)) : throw new ArgumentException(
            $"{values.Count} matrices [{values.Rows}, {values.Columns}] for '{name}' {Check.Text(shape)}.", nameof(values));
    }

    /// <inheritdoc/>
    internal override Parameter Frozen(Parameter parameter)
    {
        var tensor = (ManagedTensor)parameter.Value;
        return tensor.RequiresGradient
            ? new Parameter(parameter.Name, new ManagedTensor(tensor, tensor.Precision), parameter.SparseRows)
            : parameter;
    }

    /// <inheritdoc/>
    internal override Parameter InPrecision(Parameter parameter, InferencePrecision precision)
    {
        var tensor = (ManagedTensor)parameter.Value;
        if (tensor.Precision == precision || tensor.ElementType != ElementType.Float32)
            return parameter;
        var value = precision == InferencePrecision.Full ? tensor.Source : new ManagedTensor(tensor.Source, precision);
        return new Parameter(parameter.Name, value, parameter.SparseRows);
    }

    /// <inheritdoc/>
    public override Tape BeginTape(bool training, ulong seed = 0)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        return new ManagedTape(this, isLeased: false).Begin(TakeTapeStorage(), training, seed);
    }

    /// <inheritdoc/>
    internal override Tape LeaseTape(bool training, ulong seed = 0)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        var storage = TakeTapeStorage();
        return (storage.LeasedTape ??= new ManagedTape(this, isLeased: true)).Begin(storage, training, seed);
    }

    /// <inheritdoc/>
    public override KeyValueCache CreateKeyValueCache(int sequences, int capacity, int keyWidth, int valueWidth)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        return new ManagedKeyValueCache(this, sequences, capacity, keyWidth, valueWidth);
    }

    /// <inheritdoc/>
    public override Optimizer CreateAdamW(IReadOnlyList<ParameterGroup> groups)
    {
        ArgumentNullException.ThrowIfNull(groups);
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        return new ManagedAdamW(this, groups);
    }

    private ManagedTensor CreateTensor(string name, ReadOnlySpan<int> shape, bool sparseRows, bool zeroed = false)
    {
        ArgumentNullException.ThrowIfNull(name);
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        return sparseRows && shape.Length < 2
            ? throw new ArgumentException($"Sparse rows need two dimensions; '{name}' has {shape.Length}.", nameof(shape))
            : new ManagedTensor(this, sparseRows, shape, zeroed);
    }

    /// <inheritdoc/>
    /// <inheritdoc/>
    internal override int HostThreads => Workers.Threads;

    private protected override void Share(int items, Action<int, int> body) => Workers.Run(items, long.MaxValue, body);

    /// <summary>Storage for a tape, which <see cref="ReturnTapeStorage"/> takes back.</summary>
    private TapeStorage TakeTapeStorage()
    {
        lock (_tapeStorage)
            return _tapeStorage.TryPop(out var storage) ? storage : new TapeStorage(Blocks);
    }

    /// <summary>Takes a tape's storage back; the tape must not use it any more.</summary>
    internal void ReturnTapeStorage(TapeStorage storage)
    {
        storage.Clear();
        lock (_tapeStorage)
            _tapeStorage.Push(storage);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        IsDisposed = true;
        Workers?.Dispose();
        Blocks.Close();
    }
}
