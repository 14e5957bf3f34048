using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Microsoft.ML.Moe.LinearModels;

/// <summary>Sums over vectors of single precision in double precision, four at a time: the same numbers on every processor.</summary>
internal static class DoubleVectors
{
    private const int Width = 4;

    /// <summary>Adds a vector times a factor to another.</summary>
    public static void Add(ReadOnlySpan<float> vector, double factor, Span<double> sum)
    {
        var sums = MemoryMarshal.Cast<double, Vector256<double>>(sum);
        for (var i = 0; i < sums.Length; i++)
            sums[i] += factor * Widened(vector, i);
        for (var i = sums.Length * Width; i < sum.Length; i++)
            sum[i] += factor * vector[i];
    }

    /// <summary>Products of the numbers of two vectors.</summary>
    public static void Multiply(ReadOnlySpan<float> x, ReadOnlySpan<double> y, Span<double> products)
    {
        var ys = MemoryMarshal.Cast<double, Vector256<double>>(y);
        var to = MemoryMarshal.Cast<double, Vector256<double>>(products);
        for (var i = 0; i < to.Length; i++)
            to[i] = Widened(x, i) * ys[i];
        for (var i = to.Length * Width; i < products.Length; i++)
            products[i] = x[i] * y[i];
    }

    /// <summary>The sum of the products of the numbers of two vectors.</summary>
    public static double SumOfProducts(ReadOnlySpan<float> x, ReadOnlySpan<double> y)
    {
        var ys = MemoryMarshal.Cast<double, Vector256<double>>(y);
        var sums = Vector256<double>.Zero;
        for (var i = 0; i < ys.Length; i++)
            sums += Widened(x, i) * ys[i];
        var sum = sums[0] + sums[1] + (sums[2] + sums[3]);
        for (var i = ys.Length * Width; i < y.Length; i++)
            sum += x[i] * y[i];
        return sum;
    }

    /// <summary>Turns numbers into powers of e of these less the largest.</summary>
    /// <returns>The largest, and the sum of the powers.</returns>
    public static (double Largest, double Sum) Exponentials(Span<double> numbers)
    {
        var largest = double.NegativeInfinity;
        foreach (var number in numbers)
            largest = Math.Max(largest, number);
        var vectors = MemoryMarshal.Cast<double, Vector256<double>>(numbers);
        for (var i = 0; i < vectors.Length; i++)
            vectors[i] = Vector256.Exp(vectors[i] - Vector256.Create(largest));
        for (var i = vectors.Length * Width; i < numbers.Length; i++)
            numbers[i] = Vector256.Exp(Vector256.Create(numbers[i] - largest)).ToScalar();
        var sum = 0.0;
        foreach (var power in numbers)
            sum += power;
        return (largest, sum);
    }

    private static Vector256<double> Widened(ReadOnlySpan<float> vector, int i)
    {
        var four = Vector128.Create(vector.Slice(i * Width, Width));
        var (low, high) = Vector128.Widen(four);
        return Vector256.Create(low, high);
    }
}
