using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Kernels for vectors of one width.</summary>
/// <typeparam name="TSimd">The vector's operations.</typeparam>
/// <typeparam name="TVector">The vector type.</typeparam>
internal sealed unsafe partial class Kernels<TSimd, TVector> : Kernels
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    // Steps along k before a tile's end at which its part of the result is fetched.
    private const int PrefetchedAhead = 48;

    private const int RowDistance = PackedRows.Stride;

    public override int VectorBits => TSimd.Count * 32;

    public override int TileRows => RowsOfTile;

    public override int TileColumns => 2 * TSimd.Count;

    // A call, which the compiler would leave in a tile's loop, makes it spill its sums at each step.
    private static int RowsOfTile
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TSimd.HasManyRegisters ? 12 : 6;
    }

    public override void Tile(
        InferencePrecision precision, int depth, float* a, float* b, nint bStride, float* c, nint cStride, bool accumulate)
    {
        if (precision == InferencePrecision.BFloat16)
            Tile<BFloat16Panel>(depth, a, b, bStride, c, cStride, accumulate);
        else
            Tile<SinglePanel>(depth, a, b, bStride, c, cStride, accumulate);
    }

    public override void FewRowsTile(InferencePrecision precision, int depth, float* a, float* b, nint bStride, float* c)
    {
        if (precision == InferencePrecision.BFloat16)
            FourRows<BFloat16Panel>(depth, a, b, bStride, c);
        else
            FourRows<SinglePanel>(depth, a, b, bStride, c);
    }

    public override void NarrowTile(InferencePrecision precision, int depth, float* a, float* b, nint bStride, float* c)
    {
        if (precision == InferencePrecision.BFloat16)
            SixNarrowRows<BFloat16Panel>(depth, a, b, bStride, c);
        else
            SixNarrowRows<SinglePanel>(depth, a, b, bStride, c);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void RoundPanel(int depth, float* source, float* target)
    {
        for (var k = 0; k < depth; k++, source += 2 * TSimd.Count, target += TSimd.Count)
            TSimd.StoreBFloat16(TSimd.Load(source), TSimd.Load(source + TSimd.Count), target);
    }

    private static void Tile<TPanel>(int depth, float* a, float* b, nint bStride, float* c, nint cStride, bool accumulate)
        where TPanel : struct, IPanel
    {
        if (TSimd.HasManyRegisters)
            TwelveRows<TPanel>(depth, a, b, bStride, c, cStride, accumulate);
        else
            SixRows<TPanel>(depth, a, b, bStride, c, cStride, accumulate);
    }

    // Never inlined: amid other code, which a profile can make of a caller's loop, there are not enough registers and sums are spilled.
    // Two vectors of accumulators a row: 24 registers of 32 here, 12 of 16 below, the rest for b's row and one element of a.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void TwelveRows<TPanel>(int depth, float* a, float* b, nint bStride, float* c, nint cStride, bool accumulate)
        where TPanel : struct, IPanel
    {
        TVector c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default;
        TVector c30 = default, c31 = default, c40 = default, c41 = default, c50 = default, c51 = default;
        TVector c60 = default, c61 = default, c70 = default, c71 = default, c80 = default, c81 = default;
        TVector c90 = default, c91 = default, cA0 = default, cA1 = default, cB0 = default, cB1 = default;
        var k = 0;
        for (var end = depth - PrefetchedAhead; k < depth; end = depth)
        {
            for (; k < end; k++)
            {
                TPanel.Load<TSimd, TVector>(b, out var b0, out var b1);
                MultiplyAdd(a[0], b0, b1, ref c00, ref c01);
                MultiplyAdd(a[RowDistance], b0, b1, ref c10, ref c11);
                MultiplyAdd(a[2 * RowDistance], b0, b1, ref c20, ref c21);
                MultiplyAdd(a[3 * RowDistance], b0, b1, ref c30, ref c31);
                MultiplyAdd(a[4 * RowDistance], b0, b1, ref c40, ref c41);
                MultiplyAdd(a[5 * RowDistance], b0, b1, ref c50, ref c51);
                MultiplyAdd(a[6 * RowDistance], b0, b1, ref c60, ref c61);
                MultiplyAdd(a[7 * RowDistance], b0, b1, ref c70, ref c71);
                MultiplyAdd(a[8 * RowDistance], b0, b1, ref c80, ref c81);
                MultiplyAdd(a[9 * RowDistance], b0, b1, ref c90, ref c91);
                MultiplyAdd(a[10 * RowDistance], b0, b1, ref cA0, ref cA1);
                MultiplyAdd(a[11 * RowDistance], b0, b1, ref cB0, ref cB1);
                a++;
                b += bStride;
            }

            if (end < depth)
                PrefetchRows(c, cStride, 12);
        }

        StoreRow(c, c00, c01, accumulate);
        StoreRow(c += cStride, c10, c11, accumulate);
        StoreRow(c += cStride, c20, c21, accumulate);
        StoreRow(c += cStride, c30, c31, accumulate);
        StoreRow(c += cStride, c40, c41, accumulate);
        StoreRow(c += cStride, c50, c51, accumulate);
        StoreRow(c += cStride, c60, c61, accumulate);
        StoreRow(c += cStride, c70, c71, accumulate);
        StoreRow(c += cStride, c80, c81, accumulate);
        StoreRow(c += cStride, c90, c91, accumulate);
        StoreRow(c += cStride, cA0, cA1, accumulate);
        StoreRow(c + cStride, cB0, cB1, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void SixRows<TPanel>(int depth, float* a, float* b, nint bStride, float* c, nint cStride, bool accumulate)
        where TPanel : struct, IPanel
    {
        TVector c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default;
        TVector c30 = default, c31 = default, c40 = default, c41 = default, c50 = default, c51 = default;
        var k = 0;
        for (var end = depth - PrefetchedAhead; k < depth; end = depth)
        {
            for (; k < end; k++)
            {
                TPanel.Load<TSimd, TVector>(b, out var b0, out var b1);
                MultiplyAdd(a[0], b0, b1, ref c00, ref c01);
                MultiplyAdd(a[RowDistance], b0, b1, ref c10, ref c11);
                MultiplyAdd(a[2 * RowDistance], b0, b1, ref c20, ref c21);
                MultiplyAdd(a[3 * RowDistance], b0, b1, ref c30, ref c31);
                MultiplyAdd(a[4 * RowDistance], b0, b1, ref c40, ref c41);
                MultiplyAdd(a[5 * RowDistance], b0, b1, ref c50, ref c51);
                a++;
                b += bStride;
            }

            if (end < depth)
                PrefetchRows(c, cStride, 6);
        }

        StoreRow(c, c00, c01, accumulate);
        StoreRow(c += cStride, c10, c11, accumulate);
        StoreRow(c += cStride, c20, c21, accumulate);
        StoreRow(c += cStride, c30, c31, accumulate);
        StoreRow(c += cStride, c40, c41, accumulate);
        StoreRow(c + cStride, c50, c51, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void FourRows<TPanel>(int depth, float* a, float* b, nint bStride, float* c)
        where TPanel : struct, IPanel
    {
        TVector c00 = default, c01 = default, c10 = default, c11 = default;
        TVector c20 = default, c21 = default, c30 = default, c31 = default;
        for (var k = 0; k < depth; k++)
        {
            TPanel.Load<TSimd, TVector>(b, out var b0, out var b1);
            MultiplyAdd(a[0], b0, b1, ref c00, ref c01);
            MultiplyAdd(a[RowDistance], b0, b1, ref c10, ref c11);
            MultiplyAdd(a[2 * RowDistance], b0, b1, ref c20, ref c21);
            MultiplyAdd(a[3 * RowDistance], b0, b1, ref c30, ref c31);
            a++;
            b += bStride;
        }

        StoreRow(c, c00, c01, false);
        StoreRow(c += 2 * TSimd.Count, c10, c11, false);
        StoreRow(c += 2 * TSimd.Count, c20, c21, false);
        StoreRow(c + 2 * TSimd.Count, c30, c31, false);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void SixNarrowRows<TPanel>(int depth, float* a, float* b, nint bStride, float* c)
        where TPanel : struct, IPanel
    {
        TVector c0 = default, c1 = default, c2 = default, c3 = default, c4 = default, c5 = default;
        for (var k = 0; k < depth; k++)
        {
            TPanel.Load<TSimd, TVector>(b, out var b0, out _);
            c0 = TSimd.MultiplyAdd(TSimd.Broadcast(a[0]), b0, c0);
            c1 = TSimd.MultiplyAdd(TSimd.Broadcast(a[RowDistance]), b0, c1);
            c2 = TSimd.MultiplyAdd(TSimd.Broadcast(a[2 * RowDistance]), b0, c2);
            c3 = TSimd.MultiplyAdd(TSimd.Broadcast(a[3 * RowDistance]), b0, c3);
            c4 = TSimd.MultiplyAdd(TSimd.Broadcast(a[4 * RowDistance]), b0, c4);
            c5 = TSimd.MultiplyAdd(TSimd.Broadcast(a[5 * RowDistance]), b0, c5);
            a++;
            b += bStride;
        }

        TSimd.Store(c0, c);
        TSimd.Store(c1, c += 2 * TSimd.Count);
        TSimd.Store(c2, c += 2 * TSimd.Count);
        TSimd.Store(c3, c += 2 * TSimd.Count);
        TSimd.Store(c4, c += 2 * TSimd.Count);
        TSimd.Store(c5, c + 2 * TSimd.Count);
    }

    // The result's rows are far apart and needed only at the end: without a hint every tile would wait for them. Too early a hint would be
    // lost on the first-level cache, which the panels stream through.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PrefetchRows(float* c, nint cStride, int rows)
    {
        if (!Sse.IsSupported)
            return;
        for (var row = 0; row < rows; row++, c += cStride)
        {
            Sse.Prefetch0(c);
            Sse.Prefetch0(c + 2 * TSimd.Count - 1);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MultiplyAdd(in float a, TVector b0, TVector b1, ref TVector c0, ref TVector c1)
    {
        var x = TSimd.Broadcast(a);
        c0 = TSimd.MultiplyAdd(x, b0, c0);
        c1 = TSimd.MultiplyAdd(x, b1, c1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreRow(float* c, TVector c0, TVector c1, bool accumulate)
    {
        if (accumulate)
        {
            c0 = TSimd.Add(TSimd.Load(c), c0);
            c1 = TSimd.Add(TSimd.Load(c + TSimd.Count), c1);
        }

        TSimd.Store(c0, c);
        TSimd.Store(c1, c + TSimd.Count);
    }
}
