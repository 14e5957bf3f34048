using System.Numerics;
using System.Runtime.InteropServices;

namespace Microsoft.ML.Moe.LinearModels;

/// <summary>Work on vectors of single precision, element by element: the same numbers whatever the width of the processor's vectors.</summary>
internal static class FloatVectors
{
    /// <summary>sum += factor·vector, rounded once.</summary>
    public static void Add(ReadOnlySpan<float> vector, float factor, Span<float> sum)
    {
        var from = MemoryMarshal.Cast<float, Vector<float>>(vector);
        var to = MemoryMarshal.Cast<float, Vector<float>>(sum);
        for (var i = 0; i < to.Length; i++)
            to[i] = Vector.FusedMultiplyAdd(new Vector<float>(factor), from[i], to[i]);
        for (var i = to.Length * Vector<float>.Count; i < sum.Length; i++)
            sum[i] = MathF.FusedMultiplyAdd(factor, vector[i], sum[i]);
    }

    /// <summary>result = factor·result + vector, rounded once.</summary>
    public static void AddTo(ReadOnlySpan<float> vector, float factor, Span<float> result)
    {
        var from = MemoryMarshal.Cast<float, Vector<float>>(vector);
        var to = MemoryMarshal.Cast<float, Vector<float>>(result);
        for (var i = 0; i < to.Length; i++)
            to[i] = Vector.FusedMultiplyAdd(new Vector<float>(factor), to[i], from[i]);
        for (var i = to.Length * Vector<float>.Count; i < result.Length; i++)
            result[i] = MathF.FusedMultiplyAdd(factor, result[i], vector[i]);
    }

    /// <summary>result = factor·vector.</summary>
    public static void Scale(ReadOnlySpan<float> vector, float factor, Span<float> result)
    {
        var from = MemoryMarshal.Cast<float, Vector<float>>(vector);
        var to = MemoryMarshal.Cast<float, Vector<float>>(result);
        for (var i = 0; i < from.Length; i++)
            to[i] = factor * from[i];
        for (var i = from.Length * Vector<float>.Count; i < vector.Length; i++)
            result[i] = factor * vector[i];
    }
}
