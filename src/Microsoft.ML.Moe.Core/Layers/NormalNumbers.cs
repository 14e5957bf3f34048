using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>
/// Normally distributed numbers as a function of a key and a place, so that any of them can be drawn alone, by any thread. The numbers of a
/// counter, mixed as in SplitMix64 (Steele, Lea and Flood 2014), give radius and angle of a pair (Box and Muller 1958). What is drawn in one
/// go, and where, does not depend on the width of the CPU's vectors.
/// </summary>
internal static class NormalNumbers
{
    /// <summary>Pairs that are drawn in one go.</summary>
    private const int Pairs = 16;

    private const ulong Step = 0x9E3779B97F4A7C15;
    private const float PerBits32 = 1f / 4294967296f;
    private const float AnglePerBits24 = 2 * MathF.PI / 16777216f;

    /// <summary>Draws numbers with mean 0.</summary>
    /// <param name="key">Other keys give other numbers.</param>
    /// <param name="row">So do other rows of one key.</param>
    /// <param name="deviation">Their standard deviation.</param>
    /// <param name="values">Receives the numbers; fewer are the first of more.</param>
    public static void Fill(ulong key, int row, float deviation, Span<float> values)
    {
        var start = StableHash.Combine(key, (ulong)row);
        Span<float> drawn = stackalloc float[2 * Pairs];
        for (var pair = 0UL; !values.IsEmpty; pair += Pairs)
        {
            Draw(start + pair * Step, deviation, drawn);
            var count = Math.Min(drawn.Length, values.Length);
            drawn[..count].CopyTo(values);
            values = values[count..];
        }
    }

    private static void Draw(ulong start, float deviation, Span<float> drawn)
    {
        var counters = Vector512.Create(start) + Vector512<ulong>.Indices * Step;
        var first = Mix(counters);
        var second = Mix(counters + Vector512.Create(unchecked(Pairs / 2 * Step)));

        // a half more, because the logarithm of 0 is infinite; the largest radius, of 2⁻³³, is 6.76
        var uniform = (Vector512.ConvertToSingle(Vector512.Narrow(first >>> 32, second >>> 32)) + Vector512.Create(0.5f)) * PerBits32;
        var radius = Vector512.Sqrt(Vector512.Log(uniform) * -2f) * deviation;
        var angle = Vector512.ConvertToSingle(Vector512.Narrow(first, second) >>> 8) * AnglePerBits24;
        var (sine, cosine) = Vector512.SinCos(angle);
        (radius * cosine).CopyTo(drawn);
        (radius * sine).CopyTo(drawn[Pairs..]);
    }

    /// <summary><see cref="StableHash.Mix"/> of eight numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ulong> Mix(Vector512<ulong> value)
    {
        value += Vector512.Create(Step);
        value = (value ^ (value >>> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >>> 27)) * 0x94D049BB133111EB;
        return value ^ (value >>> 31);
    }
}
