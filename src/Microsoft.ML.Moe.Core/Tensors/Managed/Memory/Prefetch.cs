using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Hints that memory is read next: rows that are picked by number lie where the processor cannot know.</summary>
internal static unsafe class Prefetch
{
    /// <summary>
    /// Has a row brought to the second-level cache. From there the processor fetches by itself, and the first-level cache has no room for
    /// what is not read yet.
    /// </summary>
    /// <param name="row">The row's first float.</param>
    /// <param name="length">Number of floats.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Row(float* row, int length)
    {
        for (var i = 0; Sse.IsSupported && i < length; i += MemoryBlock.Alignment)
            Sse.Prefetch1(row + i);
    }
}
