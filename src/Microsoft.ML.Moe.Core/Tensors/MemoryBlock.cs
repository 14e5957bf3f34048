using System.Runtime.CompilerServices;

namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// Floats at a fixed address on a cache-line boundary. The garbage collector owns them: a block lives as long as something refers
/// to it, and what is never given back to a pool is collected.
/// </summary>
internal sealed unsafe class MemoryBlock
{
    /// <summary>Alignment of every allocation, in floats: one cache line, one 512-bit register.</summary>
    public const int Alignment = 16;

    private readonly float[] _floats;

    public MemoryBlock(long length, bool zeroed = false)
    {
        var padded = checked((int)(length + Alignment));
        _floats = zeroed ? GC.AllocateArray<float>(padded, pinned: true) : GC.AllocateUninitializedArray<float>(padded, pinned: true);
        var address = (nuint)Unsafe.AsPointer(ref _floats[0]);
        const nuint Mask = Alignment * sizeof(float) - 1;
        Data = (float*)((address + Mask) & ~Mask);
        Length = (int)length;
    }

    /// <summary>The first float.</summary>
    public float* Data { get; }

    /// <summary>Number of floats.</summary>
    public int Length { get; }

    /// <summary>The floats.</summary>
    public Span<float> Span => _floats.AsSpan((int)(Data - (float*)Unsafe.AsPointer(ref _floats[0])), Length);
}
