using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.Moe.Tensors.Managed;

// Few rows with a matrix that is read once, in the order of memory, one of its rows after the other: as fast as memory gives it.
internal sealed unsafe partial class Kernels<TSimd, TVector>
{
    // Bytes that are fetched ahead: the processor itself does not look past the end of a page.
    private const int BytesAhead = 2048;

    // Half of the first-level cache.
    private const int BytesKept = 1 << 14;

    public override void MultiplyRows(
        int rows, int count, int depth, float** a, in Matrix b, int first, float* c, nint cStride, bool accumulate)
    {
        if (b.Scales == null)
            MultiplyRows<BFloat16Row>(rows, count, depth, a, b, first, c, cStride, accumulate);
        else
            MultiplyRows<Int8Row>(rows, count, depth, a, b, first, c, cStride, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyRows<TRow>(
        int rows, int count, int depth, float** a, in Matrix b, int first, float* c, nint cStride, bool accumulate)
        where TRow : struct, IStoredRow
    {
        // Where a has more rows than are multiplied at once, some rows of b stay in the first-level cache for all of them.
        var part = rows <= 4 ? count : (int)Math.Max(1, BytesKept / Math.Max(1, depth * TRow.Bytes));
        for (var start = 0; start < count; start += part)
        {
            var end = Math.Min(start + part, count);
            for (var r = 0; r < rows; r += 4)
            {
                for (var i = start; i < end; i++)
                {
                    var row = b.Stored + (first + i) * b.Stride * TRow.Bytes;
                    var scale = b.Scales == null ? 1f : b.Scales[first + i];
                    var target = c + r * cStride + i;
                    switch (rows - r)
                    {
                        case 1:
                            Dots<One, TRow>(depth, a + r, row, scale, target, cStride, accumulate);
                            break;
                        case 2:
                            Dots<Two, TRow>(depth, a + r, row, scale, target, cStride, accumulate);
                            break;
                        case 3:
                            Dots<Three, TRow>(depth, a + r, row, scale, target, cStride, accumulate);
                            break;
                        default:
                            Dots<Four, TRow>(depth, a + r, row, scale, target, cStride, accumulate);
                            break;
                    }
                }
            }
        }
    }

    // One to four rows of a.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Dots<TRows, TRow>(int depth, float** a, byte* b, float scale, float* c, nint cStride, bool accumulate)
        where TRows : struct, IConstant
        where TRow : struct, IStoredRow
    {
        var width = 2 * TSimd.Count;
        TVector s00 = default, s01 = default, s10 = default, s11 = default, s20 = default, s21 = default, s30 = default, s31 = default;
        var a0 = a[0];
        var a1 = TRows.Value > 1 ? a[1] : a0;
        var a2 = TRows.Value > 2 ? a[2] : a0;
        var a3 = TRows.Value > 3 ? a[3] : a0;
        var k = 0;

        // A single row makes too few sums that do not wait for one another; it has four.
        for (; TRows.Value == 1 && k <= depth - 2 * width; k += 2 * width)
        {
            Fetch<TRow>(b + k * TRow.Bytes, 2 * width);
            TRow.Load<TSimd, TVector>(b + k * TRow.Bytes, out var b0, out var b1);
            TRow.Load<TSimd, TVector>(b + (k + width) * TRow.Bytes, out var b2, out var b3);
            s00 = TSimd.MultiplyAdd(TSimd.Load(a0 + k), b0, s00);
            s01 = TSimd.MultiplyAdd(TSimd.Load(a0 + k + TSimd.Count), b1, s01);
            s10 = TSimd.MultiplyAdd(TSimd.Load(a0 + k + width), b2, s10);
            s11 = TSimd.MultiplyAdd(TSimd.Load(a0 + k + width + TSimd.Count), b3, s11);
        }

        if (TRows.Value == 1)
        {
            s00 = TSimd.Add(s00, s10);
            s01 = TSimd.Add(s01, s11);
        }

        for (; k <= depth - width; k += width)
        {
            Fetch<TRow>(b + k * TRow.Bytes, width);
            TRow.Load<TSimd, TVector>(b + k * TRow.Bytes, out var b0, out var b1);
            s00 = TSimd.MultiplyAdd(TSimd.Load(a0 + k), b0, s00);
            s01 = TSimd.MultiplyAdd(TSimd.Load(a0 + k + TSimd.Count), b1, s01);
            if (TRows.Value > 1)
            {
                s10 = TSimd.MultiplyAdd(TSimd.Load(a1 + k), b0, s10);
                s11 = TSimd.MultiplyAdd(TSimd.Load(a1 + k + TSimd.Count), b1, s11);
            }

            if (TRows.Value > 2)
            {
                s20 = TSimd.MultiplyAdd(TSimd.Load(a2 + k), b0, s20);
                s21 = TSimd.MultiplyAdd(TSimd.Load(a2 + k + TSimd.Count), b1, s21);
            }

            if (TRows.Value > 3)
            {
                s30 = TSimd.MultiplyAdd(TSimd.Load(a3 + k), b0, s30);
                s31 = TSimd.MultiplyAdd(TSimd.Load(a3 + k + TSimd.Count), b1, s31);
            }
        }

        Finish<TRow>(depth, k, a0, b, TSimd.Add(s00, s01), scale, c, accumulate);
        if (TRows.Value > 1)
            Finish<TRow>(depth, k, a1, b, TSimd.Add(s10, s11), scale, c + cStride, accumulate);
        if (TRows.Value > 2)
            Finish<TRow>(depth, k, a2, b, TSimd.Add(s20, s21), scale, c + 2 * cStride, accumulate);
        if (TRows.Value > 3)
            Finish<TRow>(depth, k, a3, b, TSimd.Add(s30, s31), scale, c + 3 * cStride, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish<TRow>(int depth, int k, float* a, byte* b, TVector sums, float scale, float* c, bool accumulate)
        where TRow : struct, IStoredRow
    {
        var sum = TSimd.Sum(sums);
        for (; k < depth; k++)
            sum += a[k] * TRow.At(b + k * TRow.Bytes);
        *c = accumulate ? *c + scale * sum : scale * sum;
    }

    // A hint for each cache line of what is loaded now.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fetch<TRow>(byte* b, int elements)
        where TRow : struct, IStoredRow
    {
        for (var i = 0; Sse.IsSupported && i < elements * TRow.Bytes; i += 64)
            Sse.Prefetch0(b + BytesAhead + i);
    }
}
