using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// Where tensors live and operations run. Models are written once against <see cref="Tape"/>'s operations and run on any engine;
/// a model trained on one engine predicts the same on another. An engine may be used from several threads at once, each with a
/// tape of its own; training (backward passes, optimiser steps) of one model is done by one thread at a time.
/// </summary>
public abstract class Engine : IDisposable
{
    /// <summary>Initial values that one thread makes before it takes more.</summary>
    private const int ValuesOfItem = 1 << 13;

    /// <summary>What this engine is and runs on, for logs: <c>managed, 2 threads, AVX-512</c>.</summary>
    public abstract string Description { get; }

    /// <summary>
    /// The most memory, in bytes, that the engine has held at once for what tapes make, results, gradients and scratch memory, and for
    /// <see cref="PackedWeights"/>; without parameters, their gradients and optimisers. null where the engine cannot know. Default null.
    /// </summary>
    public virtual long? PeakMemory => null;

    /// <summary>
    /// Memory, in bytes, that the engine holds for copies of weight matrices, packed for products: it keeps them from the first pass
    /// without training on, about as much as the matrices take. null where the engine cannot know. Default null.
    /// </summary>
    public virtual long? PackedWeights => null;

    /// <summary>
    /// Bits of the vectors that sums are taken with: engines with as many give the same bits. 0 where an engine promises none.
    /// </summary>
    internal virtual int VectorBits => 0;

    /// <summary>
    /// Whether frozen matrices in bfloat16 are read where they lie, in a mapped file, and int8 is kept: others copy the former and have the
    /// latter in single precision.
    /// </summary>
    internal virtual bool KeepsStoredMatrices => false;

    /// <summary>Whether parameters are in the host's memory, not in a device's own.</summary>
    internal virtual bool UsesHostMemory => true;

    /// <summary>Creates a trainable tensor.</summary>
    /// <param name="name">Name within the model.</param>
    /// <param name="shape">Sizes of the dimensions.</param>
    /// <param name="values">Initial values, row-major; as many as the shape asks for.</param>
    /// <param name="sparseRows">Whether gradients touch few rows of the first dimension at a time (embedding tables).</param>
    /// <returns>The parameter; its gradient starts at zero.</returns>
    public abstract Parameter CreateParameter(string name, ReadOnlySpan<int> shape, ReadOnlySpan<float> values, bool sparseRows = false);

    /// <summary>As the other, with initial values that the engine's threads make, row by row.</summary>
    internal virtual Parameter CreateParameter(string name, int[] shape, InitialRow initialRow, bool sparseRows = false)
    {
        var values = new float[shape.Aggregate(1L, (product, size) => checked(product * size))];
        ForEachRow(shape, (row, columns) => initialRow(row, values.AsSpan(row * columns, columns)));
        return CreateParameter(name, shape, values, sparseRows);
    }

    /// <summary>As the first, with initial values that are written where they stay, as far as the engine can.</summary>
    internal virtual Parameter CreateParameter(string name, int[] shape, FillValues fill, bool sparseRows = false)
    {
        var values = new float[shape.Aggregate(1L, (product, size) => checked(product * size))];
        fill(values);
        return CreateParameter(name, shape, values, sparseRows);
    }

    /// <summary>
    /// Creates a frozen tensor in bfloat16, see <see cref="Tensor.ElementType"/>: the values stay where they are, and are converted when they
    /// are multiplied. An engine that has no such tensors makes one in single precision.
    /// </summary>
    /// <param name="name">Name within the model.</param>
    /// <param name="shape">Sizes of the dimensions, two at least.</param>
    /// <param name="values">As many as the shape asks for; they must not change.</param>
    internal virtual Parameter CreateParameter(string name, int[] shape, BFloat16Values values)
    {
        var parameter = CreateParameter(name, shape, (Span<float> target) => BFloat16.Widen(values.Bits, target));
        parameter.IsFrozen = true;
        return parameter;
    }

    /// <summary>
    /// Creates a frozen tensor of matrices in bfloat16 or int8, wherever they lie. An engine that cannot read them there copies them; one
    /// that has no such tensors makes one in single precision.
    /// </summary>
    /// <param name="name">Name within the model.</param>
    /// <param name="shape">Sizes of the dimensions, two at least.</param>
    /// <param name="values">The matrices of that shape; they must not change.</param>
    /// <exception cref="ArgumentException">They are of another shape.</exception>
    internal virtual Parameter CreateParameter(string name, int[] shape, StoredMatrices values)
    {
        if (!values.Fits(shape))
            throw new ArgumentException($"{values.Count} matrices [{values.Rows}, {values.Columns}] for '{name}' {Check.Text(shape)}.", nameof(values));
        if (values.Type == ElementType.BFloat16)
            return CreateParameter(name, shape, BFloat16Values.Create((int)values.Length, values.CopyTo));
        var parameter = CreateParameter(name, shape, (Span<float> all) => values.CopyTo(0, all));
        parameter.IsFrozen = true;
        return parameter;
    }

    /// <summary>Runs body(row, columns) for each row of a shape, some rows after one another on the same thread.</summary>
    private protected void ForEachRow(ReadOnlySpan<int> shape, Action<int, int> body)
    {
        var columns = shape[^1];
        var rows = 1;
        foreach (var size in shape[..^1])
            rows = checked(rows * size);
        var rowsOfItem = Math.Max(1, ValuesOfItem / Math.Max(1, columns));
        ForEach((int)(((long)rows + rowsOfItem - 1) / rowsOfItem), item =>
        {
            for (var row = item * rowsOfItem; row < Math.Min(rows, (item + 1) * rowsOfItem); row++)
                body(row, columns);
        });
    }

    /// <summary>
    /// A frozen parameter over the same values, so that they can be used where they are not to be trained while they may be elsewhere; the
    /// parameter itself where it is frozen already.
    /// </summary>
    internal virtual Parameter Frozen(Parameter parameter)
    {
        parameter.IsFrozen = true;
        return parameter;
    }

    /// <summary>
    /// A parameter over the same values, whose matrix products in inference are of a precision; the parameter itself where the engine
    /// has no other.
    /// </summary>
    internal virtual Parameter InPrecision(Parameter parameter, InferencePrecision precision) => parameter;

    /// <summary>Starts a forward pass.</summary>
    /// <param name="training">
    /// true: operations are recorded for <see cref="Tape.Backward"/> and dropout is active; false: nothing is kept.
    /// </param>
    /// <param name="seed">Seeds the tape's random numbers (dropout). The same seed gives the same numbers on the same engine.</param>
    public abstract Tape BeginTape(bool training, ulong seed = 0);

    /// <summary>
    /// As <see cref="BeginTape"/>, for callers in this library who hold nothing that the tape has made once they dispose of it, once:
    /// tape, tensors and plans are then used again for the next, so that a step leaves nothing to the garbage collector. A tensor held
    /// longer would silently be another one, which is why all that anyone outside may hold comes from <see cref="BeginTape"/>.
    /// </summary>
    /// <param name="training">See there.</param>
    /// <param name="seed">See there.</param>
    internal virtual Tape LeaseTape(bool training, ulong seed = 0) => BeginTape(training, seed);

    /// <summary>Creates an empty cache of keys and values for <see cref="Tape.CachedAttention"/>.</summary>
    /// <param name="sequences">Number of sequences, at least 1.</param>
    /// <param name="capacity">Most tokens of a sequence, at least 1; memory for as many is set aside.</param>
    /// <param name="keyWidth">Columns of the keys, all heads together; at least 1.</param>
    /// <param name="valueWidth">Columns of the values, all heads together; at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is below 1, or keys or values would be more than 2³⁰ numbers.</exception>
    public abstract KeyValueCache CreateKeyValueCache(int sequences, int capacity, int keyWidth, int valueWidth);

    /// <summary>Creates an AdamW optimiser over parameters of this engine.</summary>
    /// <param name="groups">Parameters with their settings; each parameter in one group.</param>
    public abstract Optimizer CreateAdamW(IReadOnlyList<ParameterGroup> groups);

    /// <summary>
    /// Runs body(item) for each item within [0, items): what has to be done on the host before a pass, such as encoding its rows. An engine
    /// with threads of its own shares the items among them and the caller, as far as no other caller has them at the time; by default the
    /// caller does all. Returns when all are done.
    /// </summary>
    /// <param name="items">Number of items, each worth some microseconds at least.</param>
    /// <param name="body">
    /// Runs at the same time for different items, which must not depend on one another. If one fails, the error of the first in their
    /// order is raised, and those after it may be left out.
    /// </param>
    public void ForEach(int items, Action<int> body)
    {
        ArgumentNullException.ThrowIfNull(body);
        var loop = new OrderedLoop(body);
        Share(items, loop.Run);
        loop.ThrowIfFailed();
    }

    /// <summary>Threads that work on the host beside the engine may take, its own among them.</summary>
    internal virtual int HostThreads => DefaultThreads.Count;

    /// <summary>Runs body(item, worker) for each item within [0, items), at the same time where the engine has threads for it.</summary>
    /// <param name="items">Number of items.</param>
    /// <param name="body">Raises no errors.</param>
    private protected virtual void Share(int items, Action<int, int> body)
    {
        for (var item = 0; item < items; item++)
            body(item, 0);
    }

    /// <summary>Releases the engine's parameters, pools and threads.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Releases what the engine holds.</summary>
    /// <param name="disposing">Whether called from <see cref="Dispose()"/>.</param>
    protected abstract void Dispose(bool disposing);
}
