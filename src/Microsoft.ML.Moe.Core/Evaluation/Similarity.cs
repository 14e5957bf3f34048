using Microsoft.ML.Moe.LinearModels;

namespace Microsoft.ML.Moe.Evaluation;

/// <summary>
/// Similarities and distances of two vectors of the same length, computed in double precision and rounded to single: pairs that are equally
/// close come out equal whatever the order of their elements.
/// </summary>
internal static class Similarity
{
    /// <summary>Cosine of the angle between them; 0 where one is zero.</summary>
    public static float Cosine(ReadOnlySpan<float> x, ReadOnlySpan<float> y) => Cosine(x, Norm(x), y, Norm(y));

    /// <summary>The same of vectors whose lengths are known.</summary>
    public static float Cosine(ReadOnlySpan<float> x, double normX, ReadOnlySpan<float> y, double normY) => normX == 0 || normY == 0
        ? 0f
        : (float)Math.Clamp(ParallelBlocks.SumOfProducts(x, y) / (normX * normY), -1.0, 1.0);

    /// <summary>Length of a vector.</summary>
    public static double Norm(ReadOnlySpan<float> x) => Math.Sqrt(ParallelBlocks.SumOfProducts(x, x));

    /// <summary>Sum of products.</summary>
    public static float Dot(ReadOnlySpan<float> x, ReadOnlySpan<float> y) => (float)ParallelBlocks.SumOfProducts(x, y);

    /// <summary>Euclidean distance.</summary>
    public static float Euclidean(ReadOnlySpan<float> x, ReadOnlySpan<float> y)
    {
        var sum = 0.0;
        for (var i = 0; i < x.Length; i++)
            sum += ((double)x[i] - y[i]) * ((double)x[i] - y[i]);
        return (float)Math.Sqrt(sum);
    }

    /// <summary>Manhattan distance: sum of absolute differences.</summary>
    public static float Manhattan(ReadOnlySpan<float> x, ReadOnlySpan<float> y)
    {
        var sum = 0.0;
        for (var i = 0; i < x.Length; i++)
            sum += Math.Abs((double)x[i] - y[i]);
        return (float)sum;
    }
}
