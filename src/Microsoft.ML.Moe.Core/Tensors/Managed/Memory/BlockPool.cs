using System.Numerics;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Blocks that arenas take and give back. Sizes are powers of two, so that a new block is at most twice what was asked for; before one is
/// made, a free block of up to <see cref="LargestRatio"/> times the size serves, so that less is asked for in other pieces without a new
/// one. A block that <see cref="ReleasesKept"/> releases in a row have found unused is dropped: the pool then holds no more than the most
/// that was in use at once during these.
/// </summary>
internal sealed class BlockPool
{
    /// <summary>Releases of arenas, two for each tape, that a free block outlasts.</summary>
    public const int ReleasesKept = 512;

    /// <summary>How many times as large as wanted a free block may be.</summary>
    public const int LargestRatio = 4;

    private const int SmallestLength = 1 << 18;

    // By size; those used least recently first.
    private readonly List<(MemoryBlock Block, long Returned)>[] _free =
        [.. Enumerable.Range(0, 32).Select(_ => new List<(MemoryBlock Block, long Returned)>())];

    private readonly Lock _lock = new();
    private bool _closed;
    private long _releases;
    private long _bytes;
    private long _keptBytes;

    /// <summary>Bytes of all blocks, free or in use; those that an arena took along when it was lost count too.</summary>
    public long Bytes
    {
        get
        {
            lock (_lock)
                return _bytes;
        }
    }

    /// <summary>Bytes of memory that is no block and that owners keep for themselves; see <see cref="CountedBytes"/>.</summary>
    public long KeptBytes
    {
        get
        {
            lock (_lock)
                return _keptBytes;
        }
    }

    /// <summary>Most that <see cref="Bytes"/> and <see cref="KeptBytes"/> have been together.</summary>
    public long PeakBytes { get; private set; }

    /// <summary>Counts memory that an owner begins, or with a negative number ends, to keep.</summary>
    public void CountKept(long bytes)
    {
        lock (_lock)
        {
            _keptBytes += bytes;
            NotePeak();
        }
    }

    /// <summary>A block of at least <paramref name="length"/> floats with any content.</summary>
    public MemoryBlock Take(long length)
    {
        var size = (long)BitOperations.RoundUpToPowerOf2((ulong)Math.Max(length, SmallestLength));
        if (size > int.MaxValue / 2)
            size = length;
        lock (_lock)
        {
            if (BitOperations.IsPow2(size) && TakeFree(BitOperations.Log2((ulong)size)) is { } block)
                return block;
        }

        var made = new MemoryBlock(size);
        lock (_lock)
        {
            _bytes += BytesOf(made);
            NotePeak();
        }

        return made;
    }

    /// <summary>Gives an arena's blocks back and drops those that have not been used for long.</summary>
    /// <param name="blocks">The blocks.</param>
    public void Release(IReadOnlyList<MemoryBlock> blocks)
    {
        lock (_lock)
        {
            _releases++;
            for (var i = 0; i < blocks.Count; i++)
            {
                if (_closed || !BitOperations.IsPow2(blocks[i].Length))
                    _bytes -= BytesOf(blocks[i]);
                else
                    _free[BitOperations.Log2((uint)blocks[i].Length)].Add((blocks[i], _releases));
            }

            foreach (var free in _free)
                DropUnused(free);
        }
    }

    /// <summary>Drops all blocks, also those that come back later.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
            foreach (var free in _free)
                Drop(free, free.Count);
        }
    }

    private void NotePeak() => PeakBytes = Math.Max(PeakBytes, _bytes + _keptBytes);

    private MemoryBlock? TakeFree(int size)
    {
        for (var i = size; i <= size + BitOperations.Log2(LargestRatio) && i < _free.Length; i++)
        {
            if (_free[i] is not { Count: > 0 } free)
                continue;
            var block = free[^1].Block;
            free.RemoveAt(free.Count - 1);
            return block;
        }

        return null;
    }

    private void DropUnused(List<(MemoryBlock Block, long Returned)> free)
    {
        var unused = 0;
        while (unused < free.Count && free[unused].Returned < _releases - ReleasesKept)
            unused++;
        Drop(free, unused);
    }

    private void Drop(List<(MemoryBlock Block, long Returned)> free, int count)
    {
        for (var i = 0; i < count; i++)
            _bytes -= BytesOf(free[i].Block);
        free.RemoveRange(0, count);
    }

    private static long BytesOf(MemoryBlock block) => (long)block.Length * sizeof(float);
}
