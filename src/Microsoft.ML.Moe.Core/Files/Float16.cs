using System.Numerics;
using System.Runtime.InteropServices;

namespace Microsoft.ML.Moe.Files;

/// <summary>IEEE half precision: five bits of exponent, ten of fraction.</summary>
internal static class Float16
{
    private const uint Sign = 0x8000;
    private const uint Exponent = 0x7C00;
    private const int MissingBits = 13;

    // 2¹¹²: the difference of the exponents' biases. The multiplication also makes normal numbers of subnormal ones.
    private const float Scale = 5.192296858534828e33f;
    private const uint InfiniteExponent = 0x7F800000;

    /// <summary>The numbers that bits stand for; exact.</summary>
    /// <param name="bits">Bits.</param>
    /// <param name="values">Receives as many.</param>
    public static void Widen(ReadOnlySpan<ushort> bits, Span<float> values)
    {
        var target = MemoryMarshal.Cast<float, uint>(values)[..bits.Length];
        var i = 0;
        for (; i <= bits.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Widen(new Vector<ushort>(bits[i..]), out var lower, out var upper);
            Widened(lower).CopyTo(target[i..]);
            Widened(upper).CopyTo(target[(i + Vector<uint>.Count)..]);
        }

        for (; i < bits.Length; i++)
            target[i] = Widened(new Vector<uint>(bits[i]))[0];
    }

    private static Vector<uint> Widened(Vector<uint> bits)
    {
        var magnitude = (bits & new Vector<uint>(Sign - 1)) << MissingBits;
        var scaled = Vector.AsVectorUInt32(Vector.AsVectorSingle(magnitude) * new Vector<float>(Scale));
        var isFinite = Vector.LessThan(bits & new Vector<uint>(Exponent), new Vector<uint>(Exponent));
        var result = Vector.ConditionalSelect(isFinite, scaled, magnitude | new Vector<uint>(InfiniteExponent));
        return result | ((bits & new Vector<uint>(Sign)) << 16);
    }
}
