using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// Memory that the caller of a policy lends it. A method that receives it takes pieces from its front; they are free again when the method
/// returns. So a policy allocates nothing, even when a thread uses it for the first time.
/// </summary>
/// <param name="memory">At least <see cref="RoutingPolicy.ScratchBytes"/>, on a boundary of eight bytes.</param>
internal ref struct RoutingScratch(Span<byte> memory)
{
    private const int Boundary = sizeof(ulong);
    private Span<byte> _left = memory;

    /// <summary>Bytes that a piece takes.</summary>
    public static int BytesOf<T>(int count)
        where T : unmanaged => checked((count * Unsafe.SizeOf<T>() + Boundary - 1) / Boundary * Boundary);

    /// <summary>A piece with any content.</summary>
    public Span<T> Take<T>(int count)
        where T : unmanaged
    {
        var bytes = BytesOf<T>(count);
        var piece = MemoryMarshal.Cast<byte, T>(_left[..bytes])[..count];
        _left = _left[bytes..];
        return piece;
    }
}
