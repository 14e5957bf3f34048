using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// Copies parts of matrices into the order in which the product reads them: a panel holds, for each k, a fixed number of
/// neighbouring elements (lanes), with zeros past the end.
/// </summary>
internal static unsafe class Packing
{
    private const int RowsAhead = 32;
    private const int FloatsAhead = 64;

    /// <summary>Packs lanes that are rows in memory: panel[k·width + lane] = source(lane, k).</summary>
    /// <param name="source">The rows; transposition is not looked at.</param>
    /// <param name="firstLane">First row.</param>
    /// <param name="lanes">Rows, at most <paramref name="width"/>.</param>
    /// <param name="firstK">First column.</param>
    /// <param name="depth">Columns.</param>
    /// <param name="width">Lanes of the panel.</param>
    /// <param name="panel">Receives depth·width floats.</param>
    public static void PackRows(in Matrix source, int firstLane, int lanes, int firstK, int depth, int width, float* panel)
    {
        if (lanes < width)
            new Span<float>(panel, depth * width).Clear();
        Transpose(source, firstLane, lanes, firstK, depth, width, panel);
    }

    /// <summary>target[k·stride + lane] = source(lane, k).</summary>
    /// <param name="source">The rows; transposition is not looked at.</param>
    /// <param name="firstLane">First row.</param>
    /// <param name="lanes">Number of rows.</param>
    /// <param name="firstK">First column.</param>
    /// <param name="depth">Number of columns.</param>
    /// <param name="stride">Distance of the target's rows.</param>
    /// <param name="target">Receives <paramref name="depth"/> rows.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Transpose(in Matrix source, int firstLane, int lanes, int firstK, int depth, int stride, float* target)
    {
        var lane = 0;
        for (; Avx512F.IsSupported && lane <= lanes - 16; lane += 16)
            TransposeSixteen(source, firstLane + lane, firstK, depth, stride, target + lane);
        for (; Avx.IsSupported && lane <= lanes - 8; lane += 8)
            TransposeEight(source, firstLane + lane, firstK, depth, stride, target + lane);
        for (; lane <= lanes - 4; lane += 4)
        {
            var row0 = source.Row(firstLane + lane) + firstK;
            var row1 = source.Row(firstLane + lane + 1) + firstK;
            var row2 = source.Row(firstLane + lane + 2) + firstK;
            var row3 = source.Row(firstLane + lane + 3) + firstK;
            var column = target + lane;
            var k = 0;
            for (; k <= depth - 4; k += 4, column += 4 * stride)
                Transpose4(row0 + k, row1 + k, row2 + k, row3 + k, column, stride);
            for (; k < depth; k++, column += stride)
            {
                column[0] = row0[k];
                column[1] = row1[k];
                column[2] = row2[k];
                column[3] = row3[k];
            }
        }

        for (; lane < lanes; lane++)
        {
            var row = source.Row(firstLane + lane) + firstK;
            for (var k = 0; k < depth; k++)
                target[k * stride + lane] = row[k];
        }
    }

    /// <summary>Packs lanes that are columns in memory: panel[k·width + lane] = source(k, lane).</summary>
    /// <param name="source">The rows; transposition is not looked at.</param>
    /// <param name="firstLane">First column.</param>
    /// <param name="lanes">Columns, at most <paramref name="width"/>.</param>
    /// <param name="firstK">First row.</param>
    /// <param name="depth">Rows.</param>
    /// <param name="width">Lanes of the panel.</param>
    /// <param name="panel">Receives depth·width floats.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void PackColumns(in Matrix source, int firstLane, int lanes, int firstK, int depth, int width, float* panel)
    {
        if (lanes < width)
            new Span<float>(panel, depth * width).Clear();
        for (var k = 0; k < depth; k++, panel += width)
        {
            var row = source.Row(firstK + k) + firstLane;
            if (Sse.IsSupported && k + RowsAhead < depth)
            {
                // Too little of each row is read for the processor to see where the next ones lie.
                var ahead = source.Row(firstK + k + RowsAhead) + firstLane;
                Sse.Prefetch0(ahead);
                Sse.Prefetch0(ahead + lanes - 1);
            }

            var lane = 0;
            for (; lane <= lanes - 16; lane += 16)
                Vector512.Load(row + lane).Store(panel + lane);
            for (; lane <= lanes - 4; lane += 4)
                Vector128.Load(row + lane).Store(panel + lane);
            for (; lane < lanes; lane++)
                panel[lane] = row[lane];
        }
    }

    /// <summary>Packs lanes of a matrix in bfloat16 or int8 as floats: its columns, or, of a transposed one, the rows in memory.</summary>
    /// <param name="kernels">Inner loops, whose tiles have as many columns as the panel lanes.</param>
    /// <param name="source">The matrix.</param>
    /// <param name="firstLane">First lane.</param>
    /// <param name="lanes">Number of lanes.</param>
    /// <param name="firstK">First row of the factor.</param>
    /// <param name="depth">Rows of the factor.</param>
    /// <param name="panel">Receives depth rows.</param>
    public static void Widen(Kernels kernels, in Matrix source, int firstLane, int lanes, int firstK, int depth, float* panel)
    {
        var width = kernels.TileColumns;
        if (lanes < width)
            new Span<float>(panel, depth * width).Clear();
        if (source.IsTransposed)
        {
            WidenTransposed(source, firstLane, lanes, firstK, depth, width, panel);
        }
        else if (lanes == width && source.IsBFloat16)
        {
            kernels.WidenPanel(depth, source.BFloat16Row(firstK) + firstLane, source.Stride, panel);
        }
        else
        {
            for (var k = 0; k < depth; k++)
                source.WidenRow(firstK + k, firstLane, new Span<float>(panel + k * width, lanes));
        }
    }

    private static void WidenTransposed(in Matrix source, int firstLane, int lanes, int firstK, int depth, int width, float* panel)
    {
        const int MostColumns = 64;
        var floats = stackalloc float[MostColumns * lanes];
        var rows = new Matrix(floats, MostColumns);
        for (var k = 0; k < depth; k += MostColumns)
        {
            var count = Math.Min(MostColumns, depth - k);
            for (var lane = 0; lane < lanes; lane++)
            {
                source.WidenRow(firstLane + lane, firstK + k, new Span<float>(floats + lane * MostColumns, count));
                source.FetchRow(firstLane + lane, firstK + k + MostColumns, MostColumns);
            }

            Transpose(rows, 0, lanes, 0, count, width, panel + k * width);
        }
    }

    // Four rows in each quarter of a 512-bit register, all quarters transposed by the same shuffles.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TransposeSixteen(in Matrix source, int firstLane, int firstK, int depth, int stride, float* target)
    {
        var rows = stackalloc float*[16];
        for (var lane = 0; lane < 16; lane++)
            rows[lane] = source.Row(firstLane + lane) + firstK;
        var k = 0;
        for (; k <= depth - 4; k += 4, target += 4 * stride)
        {
            if (k % MemoryBlock.Alignment == 0)
                PrefetchRows(rows, 16, k);
            var a = LoadQuarters(rows, k);
            var b = LoadQuarters(rows + 1, k);
            var c = LoadQuarters(rows + 2, k);
            var d = LoadQuarters(rows + 3, k);
            var ac = Avx512F.UnpackLow(a, c);
            var bd = Avx512F.UnpackLow(b, d);
            Avx512F.UnpackLow(ac, bd).Store(target);
            Avx512F.UnpackHigh(ac, bd).Store(target + stride);
            ac = Avx512F.UnpackHigh(a, c);
            bd = Avx512F.UnpackHigh(b, d);
            Avx512F.UnpackLow(ac, bd).Store(target + 2 * stride);
            Avx512F.UnpackHigh(ac, bd).Store(target + 3 * stride);
        }

        CopyRest(rows, 16, k, depth, stride, target);
    }

    // Four rows in each half of a 256-bit register.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TransposeEight(in Matrix source, int firstLane, int firstK, int depth, int stride, float* target)
    {
        var rows = stackalloc float*[8];
        for (var lane = 0; lane < 8; lane++)
            rows[lane] = source.Row(firstLane + lane) + firstK;
        var k = 0;
        for (; k <= depth - 4; k += 4, target += 4 * stride)
        {
            if (k % MemoryBlock.Alignment == 0)
                PrefetchRows(rows, 8, k);
            var a = LoadHalves(rows, k);
            var b = LoadHalves(rows + 1, k);
            var c = LoadHalves(rows + 2, k);
            var d = LoadHalves(rows + 3, k);
            var ac = Avx.UnpackLow(a, c);
            var bd = Avx.UnpackLow(b, d);
            Avx.UnpackLow(ac, bd).Store(target);
            Avx.UnpackHigh(ac, bd).Store(target + stride);
            ac = Avx.UnpackHigh(a, c);
            bd = Avx.UnpackHigh(b, d);
            Avx.UnpackLow(ac, bd).Store(target + 2 * stride);
            Avx.UnpackHigh(ac, bd).Store(target + 3 * stride);
        }

        CopyRest(rows, 8, k, depth, stride, target);
    }

    private static void CopyRest(float** rows, int lanes, int firstK, int depth, int stride, float* target)
    {
        for (var k = firstK; k < depth; k++, target += stride)
        {
            for (var lane = 0; lane < lanes; lane++)
                target[lane] = rows[lane][k];
        }
    }

    // Rows are short here; left alone, the processor has hardly found out where they go when they end.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PrefetchRows(float** rows, int lanes, int k)
    {
        for (var lane = 0; lane < lanes; lane++)
            Sse.Prefetch0(rows[lane] + k + FloatsAhead);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> LoadHalves(float** rows, int k) =>
        Vector256.Create(Vector128.Load(rows[0] + k), Vector128.Load(rows[4] + k));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> LoadQuarters(float** rows, int k) => Vector512.Create(
        Vector256.Create(Vector128.Load(rows[0] + k), Vector128.Load(rows[4] + k)),
        Vector256.Create(Vector128.Load(rows[8] + k), Vector128.Load(rows[12] + k)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose4(float* row0, float* row1, float* row2, float* row3, float* target, int stride)
    {
        var a = Vector128.Load(row0);
        var b = Vector128.Load(row1);
        var c = Vector128.Load(row2);
        var d = Vector128.Load(row3);
        var ac = InterleaveLower(a, c);
        var bd = InterleaveLower(b, d);
        InterleaveLower(ac, bd).Store(target);
        InterleaveUpper(ac, bd).Store(target + stride);
        ac = InterleaveUpper(a, c);
        bd = InterleaveUpper(b, d);
        InterleaveLower(ac, bd).Store(target + 2 * stride);
        InterleaveUpper(ac, bd).Store(target + 3 * stride);
    }

    // x0 y0 x1 y1
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> InterleaveLower(Vector128<float> x, Vector128<float> y)
    {
        if (Sse.IsSupported)
            return Sse.UnpackLow(x, y);
        return AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(x, y) : Vector128.Create(x[0], y[0], x[1], y[1]);
    }

    // x2 y2 x3 y3
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> InterleaveUpper(Vector128<float> x, Vector128<float> y)
    {
        if (Sse.IsSupported)
            return Sse.UnpackHigh(x, y);
        return AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(x, y) : Vector128.Create(x[2], y[2], x[3], y[3]);
    }
}
