using System.Runtime.CompilerServices;

namespace Microsoft.ML.Moe.Tensors.Managed;

internal sealed unsafe partial class Kernels<TSimd, TVector>
{
    public override int RowMultiple => RowsOfTile / 3;

    public override void MultiplyUnpacked(
        int rows, int columns, int depth, in Matrix a, float* b, nint bStride, float* c, nint cStride, bool accumulate)
    {
        var block = new UnpackedBlock(
            rows, depth, a.IsTransposed ? 1 : a.Stride, a.IsTransposed ? a.Stride : 1, bStride, cStride, accumulate);
        for (var column = 0; column < columns; column += 2 * TSimd.Count)
        {
            var width = Math.Min(columns - column, 2 * TSimd.Count);
            if (width > TSimd.Count)
                MultiplyRows<Two>(block, a.Row(0), b + column, c + column, width - TSimd.Count);
            else
                MultiplyRows<One>(block, a.Row(0), b + column, c + column, width);
        }
    }

    // As many rows at a time as registers allow; the rest in the smallest tile that holds them.
    private static void MultiplyRows<TVectors>(in UnpackedBlock block, float* a, float* b, float* c, int lastWidth)
        where TVectors : struct, IConstant
    {
        var third = RowsOfTile / 3;
        for (var row = 0; row < block.Rows; row += RowsOfTile)
        {
            var rows = Math.Min(RowsOfTile, block.Rows - row);
            if (rows > 2 * third)
                UnpackedTile<Three, TVectors>(block, a, b, c, rows, lastWidth);
            else if (rows > third)
                UnpackedTile<Two, TVectors>(block, a, b, c, rows, lastWidth);
            else
                UnpackedTile<One, TVectors>(block, a, b, c, rows, lastWidth);
            a += RowsOfTile * block.ARow;
            c += RowsOfTile * block.CStride;
        }
    }

    // One to three thirds of a tile's rows × one or two vectors, each element one chain of multiply–adds as there. Never inlined, for the
    // same reason.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void UnpackedTile<TThirds, TVectors>(in UnpackedBlock block, float* a, float* b, float* c, int rows, int lastWidth)
        where TThirds : struct, IConstant
        where TVectors : struct, IConstant
    {
        TVector c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default;
        TVector c30 = default, c31 = default, c40 = default, c41 = default, c50 = default, c51 = default;
        TVector c60 = default, c61 = default, c70 = default, c71 = default, c80 = default, c81 = default;
        TVector c90 = default, c91 = default, cA0 = default, cA1 = default, cB0 = default, cB1 = default;
        var most = RowsOfTile / 3 * TThirds.Value;

        // A pointer for every third row: addresses at once and twice a distance from it cost nothing.
        var (stride, twice, step, bStride) = (block.ARow, 2 * block.ARow, block.AStep, block.BStride);
        var a0 = a;
        var a3 = a + 3 * stride;
        var a6 = a + 6 * stride;
        var a9 = a + 9 * stride;
        for (var k = block.Depth; k > 0; k--)
        {
            var b0 = TSimd.Load(b);
            var b1 = TVectors.Value == 2 ? TSimd.Load(b + TSimd.Count) : default;
            MultiplyAdd<TVectors>(a0[0], b0, b1, ref c00, ref c01);
            MultiplyAdd<TVectors>(a0[stride], b0, b1, ref c10, ref c11);
            if (most > 2)
            {
                MultiplyAdd<TVectors>(a0[twice], b0, b1, ref c20, ref c21);
                MultiplyAdd<TVectors>(a3[0], b0, b1, ref c30, ref c31);
            }

            if (most > 4)
            {
                MultiplyAdd<TVectors>(a3[stride], b0, b1, ref c40, ref c41);
                MultiplyAdd<TVectors>(a3[twice], b0, b1, ref c50, ref c51);
            }

            if (most > 6)
            {
                MultiplyAdd<TVectors>(a6[0], b0, b1, ref c60, ref c61);
                MultiplyAdd<TVectors>(a6[stride], b0, b1, ref c70, ref c71);
            }

            if (most > 8)
            {
                MultiplyAdd<TVectors>(a6[twice], b0, b1, ref c80, ref c81);
                MultiplyAdd<TVectors>(a9[0], b0, b1, ref c90, ref c91);
                MultiplyAdd<TVectors>(a9[stride], b0, b1, ref cA0, ref cA1);
                MultiplyAdd<TVectors>(a9[twice], b0, b1, ref cB0, ref cB1);
            }

            a0 += step;
            a3 += step;
            a6 += step;
            a9 += step;
            b += bStride;
        }

        var (cStride, accumulate) = (block.CStride, block.Accumulate);
        StoreRow<TVectors>(c, c00, c01, lastWidth, accumulate);
        if (rows > 1)
            StoreRow<TVectors>(c += cStride, c10, c11, lastWidth, accumulate);
        if (most > 2 && rows > 2)
            StoreRow<TVectors>(c += cStride, c20, c21, lastWidth, accumulate);
        if (most > 3 && rows > 3)
            StoreRow<TVectors>(c += cStride, c30, c31, lastWidth, accumulate);
        if (most > 4 && rows > 4)
            StoreRow<TVectors>(c += cStride, c40, c41, lastWidth, accumulate);
        if (most > 5 && rows > 5)
            StoreRow<TVectors>(c += cStride, c50, c51, lastWidth, accumulate);
        if (most > 6 && rows > 6)
            StoreRow<TVectors>(c += cStride, c60, c61, lastWidth, accumulate);
        if (most > 7 && rows > 7)
            StoreRow<TVectors>(c += cStride, c70, c71, lastWidth, accumulate);
        if (most > 8 && rows > 8)
            StoreRow<TVectors>(c += cStride, c80, c81, lastWidth, accumulate);
        if (most > 9 && rows > 9)
            StoreRow<TVectors>(c += cStride, c90, c91, lastWidth, accumulate);
        if (most > 10 && rows > 10)
            StoreRow<TVectors>(c += cStride, cA0, cA1, lastWidth, accumulate);
        if (most > 11 && rows > 11)
            StoreRow<TVectors>(c + cStride, cB0, cB1, lastWidth, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MultiplyAdd<TVectors>(in float a, TVector b0, TVector b1, ref TVector c0, ref TVector c1)
        where TVectors : struct, IConstant
    {
        var x = TSimd.Broadcast(a);
        c0 = TSimd.MultiplyAdd(x, b0, c0);
        if (TVectors.Value == 2)
            c1 = TSimd.MultiplyAdd(x, b1, c1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreRow<TVectors>(float* c, TVector c0, TVector c1, int lastWidth, bool accumulate)
        where TVectors : struct, IConstant
    {
        if (TVectors.Value == 2)
        {
            TSimd.Store(accumulate ? TSimd.Add(TSimd.Load(c), c0) : c0, c);
            c += TSimd.Count;
            c0 = c1;
        }

        StoreUpTo(accumulate ? TSimd.Add(LoadUpTo(c, lastWidth), c0) : c0, c, lastWidth);
    }
}
