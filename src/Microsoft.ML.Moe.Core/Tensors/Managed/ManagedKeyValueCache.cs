namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>A cache in the engine's memory: the rows of a sequence stand one after the other, with room for all that it may have.</summary>
internal sealed unsafe class ManagedKeyValueCache : KeyValueCache
{
    private MemoryBlock? _keys;
    private MemoryBlock? _values;

    public ManagedKeyValueCache(ManagedEngine engine, int sequences, int capacity, int keyWidth, int valueWidth)
        : base(sequences, capacity, keyWidth, valueWidth)
    {
        Engine = engine;
        _keys = new MemoryBlock((long)sequences * capacity * keyWidth);
        _values = new MemoryBlock((long)sequences * capacity * valueWidth);
    }

    public ManagedEngine Engine { get; }

    /// <summary>[B, capacity, keyWidth].</summary>
    public float* Keys => Live(_keys).Data;

    /// <summary>[B, capacity, valueWidth].</summary>
    public float* Values => Live(_values).Data;

    protected override bool IsDisposed => _keys is null || Engine.IsDisposed;

    /// <summary>Stores the keys and values of new tokens behind those of their sequences, and counts them.</summary>
    public void Append(ManagedTensor kTD, ManagedTensor vTD, SequenceLayout layout)
    {
        for (var sequence = 0; sequence < Sequences; sequence++)
        {
            var (start, end) = (layout.Offsets[sequence], layout.Offsets[sequence + 1]);
            Store(kTD.Data, Keys, KeyWidth);
            Store(vTD.Data, Values, ValueWidth);

            void Store(float* source, float* target, int width)
            {
                var place = target + ((long)sequence * Capacity + Lengths[sequence]) * width;
                Buffer.MemoryCopy(
                    source + (long)start * width, place, long.MaxValue, sizeof(float) * (long)(end - start) * width);
            }
        }

        Count(layout);
    }

    protected override void ReorderCore(ReadOnlySpan<int> sources)
    {
        _keys = Reordered(Live(_keys), KeyWidth, sources);
        _values = Reordered(Live(_values), ValueWidth, sources);
    }

    protected override void Dispose(bool disposing) => (_keys, _values) = (null, null);

    private MemoryBlock Reordered(MemoryBlock before, int width, ReadOnlySpan<int> sources)
    {
        var isSame = true;
        for (var sequence = 0; sequence < Sequences; sequence++)
            isSame &= sources[sequence] == sequence || Lengths[sources[sequence]] == 0;
        if (isSame)
            return before;
        var after = new MemoryBlock(before.Length);
        var size = (long)Capacity * width;
        for (var sequence = 0; sequence < Sequences; sequence++)
        {
            Buffer.MemoryCopy(
                before.Data + sources[sequence] * size,
                after.Data + sequence * size,
                long.MaxValue,
                sizeof(float) * (long)Lengths[sources[sequence]] * width);
        }

        return after;
    }

    private MemoryBlock Live(MemoryBlock? block)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        return block!;
    }
}
