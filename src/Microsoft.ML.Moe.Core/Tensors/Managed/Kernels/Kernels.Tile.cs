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

    public override int VectorBits => TSimd.Count * 32;

    public override int TileRows => RowsOfTile;

    public override int TileColumns => 2 * TSimd.Count;

    public override int RowMultiple => RowsOfTile / 6;

    // Two vectors of sums a row: 24 registers of 32, or 12 of 16; the rest for b's row and one element of a. A call, which the compiler would
    // leave in a tile's loop, makes it spill its sums at each step.
    private static int RowsOfTile
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TSimd.HasManyRegisters ? 12 : 6;
    }

    public override void Tile(
        InferencePrecision precision,
        int rows,
        int columns,
        int depth,
        float* a,
        float* b,
        nint bStride,
        float* c,
        nint cStride,
        bool accumulate)
    {
        var product = new TileProduct(depth, bStride, cStride, accumulate);
        if (precision == InferencePrecision.BFloat16)
            SmallestTile<BFloat16Panel, PackedPlaces>(default, product, rows, columns, a, b, c);
        else
            SmallestTile<SinglePanel, PackedPlaces>(default, product, rows, columns, a, b, c);
    }

    public override void MultiplyUnpacked(
        int rows, int columns, int depth, in Matrix a, float* b, nint bStride, float* c, nint cStride, bool accumulate)
    {
        var product = new TileProduct(depth, bStride, cStride, accumulate);
        var places = new MatrixPlaces(a);
        for (var column = 0; column < columns; column += 2 * TSimd.Count)
        {
            var width = Math.Min(columns - column, 2 * TSimd.Count);
            for (var row = 0; row < rows; row += RowsOfTile)
            {
                var height = Math.Min(RowsOfTile, rows - row);
                var rowsA = a.Row(0) + row * places.Distance;
                SmallestTile<SinglePanel, MatrixPlaces>(places, product, height, width, rowsA, b + column, c + row * cStride + column);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void RoundPanel(int depth, float* source, float* target)
    {
        for (var k = 0; k < depth; k++, source += 2 * TSimd.Count, target += TSimd.Count)
            TSimd.StoreBFloat16(TSimd.Load(source), TSimd.Load(source + TSimd.Count), target);
    }

    private static void SmallestTile<TPanel, TPlaces>(
        TPlaces places, in TileProduct product, int rows, int columns, float* a, float* b, float* c)
        where TPanel : struct, IPanel
        where TPlaces : struct, IRowPlaces
    {
        if (columns > TSimd.Count)
            SmallestTile<Two, TPanel, TPlaces>(places, product, rows, columns - TSimd.Count, a, b, c);
        else
            SmallestTile<One, TPanel, TPlaces>(places, product, rows, columns, a, b, c);
    }

    private static void SmallestTile<TVectors, TPanel, TPlaces>(
        TPlaces places, in TileProduct product, int rows, int lastWidth, float* a, float* b, float* c)
        where TVectors : struct, IConstant
        where TPanel : struct, IPanel
        where TPlaces : struct, IRowPlaces
    {
        switch ((rows - 1) / (RowsOfTile / 6))
        {
            case 0:
                Tile<One, TVectors, TPanel, TPlaces>(places, product, rows, lastWidth, a, b, c);
                break;
            case 1:
                Tile<Two, TVectors, TPanel, TPlaces>(places, product, rows, lastWidth, a, b, c);
                break;
            case 2:
                Tile<Three, TVectors, TPanel, TPlaces>(places, product, rows, lastWidth, a, b, c);
                break;
            case 3:
                Tile<Four, TVectors, TPanel, TPlaces>(places, product, rows, lastWidth, a, b, c);
                break;
            case 4:
                Tile<Five, TVectors, TPanel, TPlaces>(places, product, rows, lastWidth, a, b, c);
                break;
            default:
                Tile<Six, TVectors, TPanel, TPlaces>(places, product, rows, lastWidth, a, b, c);
                break;
        }
    }

    // One to six sixths of the rows × one or two vectors. Never inlined: amid other code, which a profile can make of a caller's loop,
    // there are not enough registers and sums are spilled.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Tile<TSixths, TVectors, TPanel, TPlaces>(
        TPlaces places, in TileProduct product, int rows, int lastWidth, float* a, float* b, float* c)
        where TSixths : struct, IConstant
        where TVectors : struct, IConstant
        where TPanel : struct, IPanel
        where TPlaces : struct, IRowPlaces
    {
        TVector c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default;
        TVector c30 = default, c31 = default, c40 = default, c41 = default, c50 = default, c51 = default;
        TVector c60 = default, c61 = default, c70 = default, c71 = default, c80 = default, c81 = default;
        TVector c90 = default, c91 = default, cA0 = default, cA1 = default, cB0 = default, cB1 = default;
        var most = RowsOfTile / 6 * TSixths.Value;
        var (depth, bStride, cStride) = (product.Depth, product.BStride, product.CStride);

        // A pointer for every third row: addresses at once and twice a distance from it cost nothing.
        var (distance, twice, step) = (places.Distance, 2 * places.Distance, places.Step);
        var a3 = a + 3 * distance;
        var a6 = a + 6 * distance;
        var a9 = a + 9 * distance;
        var k = 0;
        for (var end = depth - PrefetchedAhead; k < depth; end = depth)
        {
            for (; k < end; k++)
            {
                TPanel.Load<TSimd, TVector, TVectors>(b, out var b0, out var b1);
                MultiplyAdd<TVectors>(a[0], b0, b1, ref c00, ref c01);
                if (most > 1)
                    MultiplyAdd<TVectors>(a[distance], b0, b1, ref c10, ref c11);
                if (most > 2)
                    MultiplyAdd<TVectors>(a[twice], b0, b1, ref c20, ref c21);
                if (most > 3)
                    MultiplyAdd<TVectors>(a3[0], b0, b1, ref c30, ref c31);
                if (most > 4)
                    MultiplyAdd<TVectors>(a3[distance], b0, b1, ref c40, ref c41);
                if (most > 5)
                    MultiplyAdd<TVectors>(a3[twice], b0, b1, ref c50, ref c51);
                if (most > 6)
                    MultiplyAdd<TVectors>(a6[0], b0, b1, ref c60, ref c61);
                if (most > 7)
                    MultiplyAdd<TVectors>(a6[distance], b0, b1, ref c70, ref c71);
                if (most > 8)
                    MultiplyAdd<TVectors>(a6[twice], b0, b1, ref c80, ref c81);
                if (most > 9)
                    MultiplyAdd<TVectors>(a9[0], b0, b1, ref c90, ref c91);
                if (most > 10)
                    MultiplyAdd<TVectors>(a9[distance], b0, b1, ref cA0, ref cA1);
                if (most > 11)
                    MultiplyAdd<TVectors>(a9[twice], b0, b1, ref cB0, ref cB1);
                a += step;
                a3 += step;
                a6 += step;
                a9 += step;
                b += bStride;
            }

            if (end < depth)
                PrefetchRows(c, cStride, most);
        }

        var accumulate = product.Accumulate;
        StoreRow<TVectors>(c, c00, c01, lastWidth, accumulate);
        if (most > 1 && rows > 1)
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
