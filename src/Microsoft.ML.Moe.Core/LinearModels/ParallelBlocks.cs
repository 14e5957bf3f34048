using System.Numerics;
using System.Runtime.InteropServices;

namespace Microsoft.ML.Moe.LinearModels;

/// <summary>
/// Work in blocks whose bounds do not depend on the number of threads, with sums added up block after block: the same numbers on one
/// thread as on many.
/// </summary>
/// <param name="threads">Threads at most.</param>
internal sealed class ParallelBlocks(int threads)
{
    private const int VectorBlock = 1 << 15;
    private readonly ParallelOptions _options = new() { MaxDegreeOfParallelism = threads };

    /// <summary>Runs blocks, several at a time.</summary>
    /// <param name="blocks">Number of blocks.</param>
    /// <param name="body">Runs one.</param>
    public void Run(int blocks, Action<int> body)
    {
        if (threads == 1 || blocks <= 1)
        {
            for (var block = 0; block < blocks; block++)
                body(block);
            return;
        }

        Parallel.For(0, blocks, _options, body);
    }

    /// <summary>Runs blocks of items, several at a time, and adds up what they give.</summary>
    /// <param name="items">Number of items.</param>
    /// <param name="size">Items of a block.</param>
    /// <param name="body">Runs the items from a first up to, but without, a last, and gives a number.</param>
    public double Sum(int items, int size, Func<int, int, double> body)
    {
        var sums = new double[(items + size - 1) / size];
        Run(sums.Length, block => sums[block] = body(block * size, Math.Min(items, (block + 1) * size)));
        var sum = 0.0;
        foreach (var part in sums)
            sum += part;
        return sum;
    }

    /// <summary>The sum of products of two vectors of the same length.</summary>
    public double Dot(float[] x, float[] y) => Sum(
        x.Length, VectorBlock, (start, end) => SumOfProducts(x.AsSpan(start..end), y.AsSpan(start..end)));

    /// <summary>Runs over the parts of vectors of a length.</summary>
    /// <param name="length">The length.</param>
    /// <param name="body">Runs one part, from a first up to, but without, a last.</param>
    public void Over(int length, Action<int, int> body) => Run(
        (length + VectorBlock - 1) / VectorBlock,
        block => body(block * VectorBlock, Math.Min(length, (block + 1) * VectorBlock)));

    /// <summary>The sum of products of two vectors of the same length, on this thread.</summary>
    public static double SumOfProducts(ReadOnlySpan<float> x, ReadOnlySpan<float> y)
    {
        var xs = MemoryMarshal.Cast<float, Vector<float>>(x);
        var ys = MemoryMarshal.Cast<float, Vector<float>>(y);
        var (low, high) = (Vector<double>.Zero, Vector<double>.Zero);
        for (var i = 0; i < xs.Length; i++)
        {
            Vector.Widen(xs[i], out var x1, out var x2);
            Vector.Widen(ys[i], out var y1, out var y2);
            low += x1 * y1;
            high += x2 * y2;
        }

        var sum = Vector.Sum(low + high);
        for (var i = xs.Length * Vector<float>.Count; i < x.Length; i++)
            sum += (double)x[i] * y[i];
        return sum;
    }
}
