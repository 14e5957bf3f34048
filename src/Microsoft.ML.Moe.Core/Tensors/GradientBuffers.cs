using System.Numerics;

namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// Memory of gradients that is used again: that of a model is large, and each step takes as much as the one before. For one thread.
/// </summary>
internal sealed class GradientBuffers
{
    private readonly Dictionary<int, Stack<MemoryBlock>> _free = [];

    /// <summary>A block of a length, with arbitrary content.</summary>
    public MemoryBlock Rent(int length) => RentFree(length) ?? new MemoryBlock(length);

    /// <summary>A block of at least a length, which differs from step to step, with arbitrary content.</summary>
    public MemoryBlock RentAtLeast(int length) =>
        Rent(length > 1 << 30 ? length : (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(1024, length)));

    /// <summary>A block of a length, with arbitrary content; null where none was given back.</summary>
    public MemoryBlock? RentFree(int length) => _free.TryGetValue(length, out var free) && free.TryPop(out var block) ? block : null;

    /// <summary>Gives back a block that nobody needs any more.</summary>
    public void Return(MemoryBlock? block)
    {
        if (block is null)
            return;
        if (!_free.TryGetValue(block.Length, out var free))
            _free.Add(block.Length, free = []);
        free.Push(block);
    }
}
