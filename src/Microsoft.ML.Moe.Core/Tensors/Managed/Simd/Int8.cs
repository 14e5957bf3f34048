using System.Numerics;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Numbers in int8 with a scale: conversions of whole spans.</summary>
internal static class Int8
{
    /// <summary>The largest number of scales; −128 is not used, so that both signs have as many.</summary>
    public const float Largest = 127f;

    /// <summary>The numbers that bytes stand for.</summary>
    /// <param name="bytes">Numbers of scales.</param>
    /// <param name="scale">The scale.</param>
    /// <param name="values">Receives as many.</param>
    public static void Widen(ReadOnlySpan<sbyte> bytes, float scale, Span<float> values)
    {
        values = values[..bytes.Length];
        var scales = new Vector<float>(scale);
        var i = 0;
        for (; i <= bytes.Length - Vector<sbyte>.Count; i += Vector<sbyte>.Count)
        {
            Vector.Widen(new Vector<sbyte>(bytes[i..]), out var lower, out var upper);
            WidenShorts(lower, values[i..]);
            WidenShorts(upper, values[(i + Vector<short>.Count)..]);
        }

        for (; i < bytes.Length; i++)
            values[i] = scale * bytes[i];

        void WidenShorts(Vector<short> shorts, Span<float> target)
        {
            Vector.Widen(shorts, out var lower, out var upper);
            (Vector.ConvertToSingle(lower) * scales).CopyTo(target);
            (Vector.ConvertToSingle(upper) * scales).CopyTo(target[Vector<float>.Count..]);
        }
    }

    /// <summary>Rounds numbers to whole scales.</summary>
    /// <param name="values">Numbers.</param>
    /// <param name="bytes">Receives as many.</param>
    /// <returns>The scale: <see cref="Largest"/> of them are the number that is furthest from 0. What is not a number makes it none either.</returns>
    public static float Round(ReadOnlySpan<float> values, Span<sbyte> bytes)
    {
        var largest = 0f;
        foreach (var value in values)
            largest = Math.Abs(value) <= largest ? largest : Math.Abs(value);
        var factor = largest > 0f ? Largest / largest : 0f;
        for (var i = 0; i < values.Length; i++)
            bytes[i] = (sbyte)MathF.Round(factor * values[i]);
        return largest / Largest;
    }
}
