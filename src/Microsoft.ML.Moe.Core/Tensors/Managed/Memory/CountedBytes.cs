namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Counts memory among a pool's that its owner keeps for itself and never gives back: until the owner, and this with it, is collected. It
/// does not refer to the memory, which would otherwise outlive its owner until the finalizer has run.
/// </summary>
internal sealed class CountedBytes
{
    private readonly BlockPool _pool;

    public CountedBytes(BlockPool pool, long bytes)
    {
        _pool = pool;
        Bytes = bytes;
        pool.CountKept(bytes);
    }

    ~CountedBytes() => _pool.CountKept(-Bytes);

    /// <summary>How many.</summary>
    public long Bytes { get; }
}
