using System.Numerics;
using System.Runtime.InteropServices;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>bfloat16, the upper half of a float: constants of the conversion, and conversions of whole spans.</summary>
internal static class BFloat16
{
    /// <summary>What a float keeps.</summary>
    public const uint Mask = 0xFFFF0000;

    /// <summary>The largest rest that is rounded down; with the last bit kept added, also half for an even one.</summary>
    public const uint BelowHalf = 0x7FFF;

    /// <summary>Makes sure that a float that is not a number is none either without its lower half.</summary>
    public const uint QuietBit = 0x00400000;

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
            (lower << 16).CopyTo(target[i..]);
            (upper << 16).CopyTo(target[(i + Vector<uint>.Count)..]);
        }

        for (; i < bits.Length; i++)
            target[i] = (uint)bits[i] << 16;
    }

    /// <summary>Bits of the nearest bfloat16, of two of the even one; what is not a number stays so.</summary>
    /// <param name="values">Numbers.</param>
    /// <param name="bits">Receives as many.</param>
    public static void Round(ReadOnlySpan<float> values, Span<ushort> bits)
    {
        var i = 0;
        for (; i <= values.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            var lower = Rounded(new Vector<float>(values[i..]));
            var upper = Rounded(new Vector<float>(values[(i + Vector<float>.Count)..]));
            Vector.Narrow(lower, upper).CopyTo(bits[i..]);
        }

        for (; i < values.Length; i++)
            bits[i] = (ushort)Rounded(new Vector<float>(values[i]))[0];
    }

    /// <summary>Whether a number is one of bfloat16, so that <see cref="Round"/> loses nothing of it.</summary>
    public static bool Holds(float value) => (BitConverter.SingleToUInt32Bits(value) & ~Mask) == 0;

    private static Vector<uint> Rounded(Vector<float> x)
    {
        var bits = Vector.AsVectorUInt32(x);
        var rounded = bits + new Vector<uint>(BelowHalf) + ((bits >>> 16) & Vector<uint>.One);
        var isNumber = Vector.AsVectorUInt32(Vector.Equals(x, x));
        return Vector.ConditionalSelect(isNumber, rounded, bits | new Vector<uint>(QuietBit)) >>> 16;
    }
}
