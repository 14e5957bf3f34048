using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.Moe.Tensors.Managed;

internal sealed unsafe partial class Kernels<TSimd, TVector>
{
    // Rows of a matrix in bfloat16 that are fetched ahead.
    private const int RowsAhead = 16;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void WidenPanel(int depth, ushort* source, nint stride, float* target)
    {
        for (var k = 0; k < depth; k++, source += stride, target += 2 * TSimd.Count)
        {
            // As in packing: too little of each row is read for the processor to see where the next ones lie.
            if (Sse.IsSupported && k + RowsAhead < depth)
                Sse.Prefetch0(source + RowsAhead * stride);
            TSimd.WidenBFloat16(source, out var first, out var second);
            TSimd.Store(first, target);
            TSimd.Store(second, target + TSimd.Count);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void MultiplyBFloat16(
        int rows, int columns, int depth, float* a, ushort* b, nint bStride, float* c, nint cStride, bool accumulate)
    {
        var width = 2 * TSimd.Count;
        var whole = columns / width * width;
        var sumStride = (columns + width - 1) / width * width;
        var sums = stackalloc float[rows * sumStride];
        new Span<float>(sums, rows * sumStride).Clear();
        var rest = stackalloc ushort[4 * width];
        for (var k = 0; k < depth;)
        {
            var isFour = k + 4 <= depth;
            var row = b + k * bStride;
            var fetchesNext = Sse.IsSupported && k + 8 <= depth;
            for (var column = 0; column < whole; column += width)
            {
                if (fetchesNext)
                    PrefetchFour(row + column + 4 * bStride, bStride);
                if (isFour)
                    AddFour(rows, a + k, row + column, bStride, sums + column, sumStride);
                else
                    AddOne(rows, a + k, row + column, sums + column, sumStride);
            }

            if (whole < columns)
            {
                // a copy with room for whole vectors: behind the matrix there may be nothing to read
                for (var i = 0; i < (isFour ? 4 : 1); i++)
                    new ReadOnlySpan<ushort>(row + i * bStride + whole, columns - whole).CopyTo(new Span<ushort>(rest + i * width, width));
                if (isFour)
                    AddFour(rows, a + k, rest, width, sums + whole, sumStride);
                else
                    AddOne(rows, a + k, rest, sums + whole, sumStride);
            }

            k += isFour ? 4 : 1;
        }

        for (var row = 0; row < rows; row++, c += cStride, sums += sumStride)
        {
            if (accumulate)
                Add(c, sums, c, columns);
            else
                new ReadOnlySpan<float>(sums, columns).CopyTo(new Span<float>(c, columns));
        }
    }

    // Two vectors of columns, four rows of b.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddFour(int rows, float* a, ushort* b, nint bStride, float* sums, int sumStride)
    {
        TSimd.WidenBFloat16(b, out var b00, out var b01);
        TSimd.WidenBFloat16(b + bStride, out var b10, out var b11);
        TSimd.WidenBFloat16(b + 2 * bStride, out var b20, out var b21);
        TSimd.WidenBFloat16(b + 3 * bStride, out var b30, out var b31);
        for (var row = 0; row < rows; row++, a += PackedRows.Stride, sums += sumStride)
        {
            var (sum0, sum1) = (TSimd.Load(sums), TSimd.Load(sums + TSimd.Count));
            MultiplyAdd<Two>(a[0], b00, b01, ref sum0, ref sum1);
            MultiplyAdd<Two>(a[1], b10, b11, ref sum0, ref sum1);
            MultiplyAdd<Two>(a[2], b20, b21, ref sum0, ref sum1);
            MultiplyAdd<Two>(a[3], b30, b31, ref sum0, ref sum1);
            TSimd.Store(sum0, sums);
            TSimd.Store(sum1, sums + TSimd.Count);
        }
    }

    // The next four rows: they begin far away, where the processor does not look by itself.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PrefetchFour(ushort* b, nint bStride)
    {
        Sse.Prefetch0(b);
        Sse.Prefetch0(b + bStride);
        Sse.Prefetch0(b + 2 * bStride);
        Sse.Prefetch0(b + 3 * bStride);
    }

    // Two vectors of columns, one row of b.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddOne(int rows, float* a, ushort* b, float* sums, int sumStride)
    {
        TSimd.WidenBFloat16(b, out var b0, out var b1);
        for (var row = 0; row < rows; row++, a += PackedRows.Stride, sums += sumStride)
        {
            var (sum0, sum1) = (TSimd.Load(sums), TSimd.Load(sums + TSimd.Count));
            MultiplyAdd<Two>(a[0], b0, b1, ref sum0, ref sum1);
            TSimd.Store(sum0, sums);
            TSimd.Store(sum1, sums + TSimd.Count);
        }
    }
}
