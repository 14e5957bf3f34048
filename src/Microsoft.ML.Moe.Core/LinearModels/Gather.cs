using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Microsoft.ML.Moe.LinearModels;

/// <summary>Weighted sums of rows of a table whose width is a multiple of four, in the order in which they are given.</summary>
internal static class Gather
{
    /// <summary>Columns of a table for so many values: four, or a multiple of eight.</summary>
    public static int Stride(int columns) => columns <= 4 ? 4 : (columns + 7) & ~7;

    /// <summary>Adds to <paramref name="sum"/> the rows of <paramref name="table"/> times their weights.</summary>
    /// <param name="table">Rows of as many values as <paramref name="sum"/> has.</param>
    /// <param name="rows">Numbers of the rows.</param>
    /// <param name="weights">A weight for each of them.</param>
    /// <param name="sum">Receives the sum.</param>
    public static void Add(ReadOnlySpan<float> table, ReadOnlySpan<int> rows, ReadOnlySpan<float> weights, Span<float> sum)
    {
        var stride = sum.Length;
        if (stride == 4)
        {
            AddFour(table, rows, weights, sum);
            return;
        }

        var column = 0;
        for (; column + 32 <= stride; column += 32)
        {
            var part = MemoryMarshal.Cast<float, Vector256<float>>(sum.Slice(column, 32));
            var (a, b, c, d) = (part[0], part[1], part[2], part[3]);
            for (var i = 0; i < rows.Length; i++)
            {
                var weight = Vector256.Create(weights[i]);
                var row = MemoryMarshal.Cast<float, Vector256<float>>(table.Slice(rows[i] * stride + column, 32));
                a = Vector256.FusedMultiplyAdd(weight, row[0], a);
                b = Vector256.FusedMultiplyAdd(weight, row[1], b);
                c = Vector256.FusedMultiplyAdd(weight, row[2], c);
                d = Vector256.FusedMultiplyAdd(weight, row[3], d);
            }

            (part[0], part[1], part[2], part[3]) = (a, b, c, d);
        }

        for (; column < stride; column += 8)
        {
            var part = MemoryMarshal.Cast<float, Vector256<float>>(sum.Slice(column, 8));
            var a = part[0];
            for (var i = 0; i < rows.Length; i++)
            {
                var row = MemoryMarshal.Cast<float, Vector256<float>>(table.Slice(rows[i] * stride + column, 8));
                a = Vector256.FusedMultiplyAdd(Vector256.Create(weights[i]), row[0], a);
            }

            part[0] = a;
        }
    }

    private static void AddFour(ReadOnlySpan<float> table, ReadOnlySpan<int> rows, ReadOnlySpan<float> weights, Span<float> sum)
    {
        var part = MemoryMarshal.Cast<float, Vector128<float>>(sum);
        var vectors = MemoryMarshal.Cast<float, Vector128<float>>(table);
        var a = part[0];
        for (var i = 0; i < rows.Length; i++)
            a = Vector128.FusedMultiplyAdd(Vector128.Create(weights[i]), vectors[rows[i]], a);
        part[0] = a;
    }
}
