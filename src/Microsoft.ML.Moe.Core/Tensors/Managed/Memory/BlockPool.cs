using System.Numerics;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Blocks that arenas take and give back. Sizes are powers of two, so that a pool never holds more than twice its peak.</summary>
internal sealed class BlockPool
{
    private const int SmallestLength = 1 << 18;
    private readonly Stack<MemoryBlock>[] _free = [.. Enumerable.Range(0, 32).Select(_ => new Stack<MemoryBlock>())];
    private readonly Lock _lock = new();
    private bool _closed;

    /// <summary>A block of at least <paramref name="length"/> floats with any content.</summary>
    public MemoryBlock Take(long length)
    {
        var size = (long)BitOperations.RoundUpToPowerOf2((ulong)Math.Max(length, SmallestLength));
        if (size > int.MaxValue / 2)
            return new MemoryBlock(length);
        lock (_lock)
        {
            if (_free[BitOperations.Log2((ulong)size)].TryPop(out var block))
                return block;
        }

        return new MemoryBlock(size);
    }

    /// <summary>Gives a block back.</summary>
    public void Return(MemoryBlock block)
    {
        if (!BitOperations.IsPow2(block.Length))
            return;
        lock (_lock)
        {
            if (!_closed)
                _free[BitOperations.Log2((uint)block.Length)].Push(block);
        }
    }

    /// <summary>Drops all blocks, also those that come back later.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
            foreach (var blocks in _free)
                blocks.Clear();
        }
    }
}
