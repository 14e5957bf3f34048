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
    private const int WordsAhead = 64;

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
    public static void Transpose(in Matrix source, int firstLane, int lanes, int firstK, int depth, int stride, float* target) =>
        Transpose(default(FloatWords), source, firstLane, lanes, firstK, depth, stride, target);

    // Words of 32 bits are transposed; what they hold, one number or several, then goes to as many rows of the target.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Transpose<TWords>(
        TWords words, in Matrix source, int firstLane, int lanes, int firstK, int depth, int stride, float* target)
        where TWords : struct, IPackedWords
    {
        const int MostRows = 16;
        var rows = stackalloc uint*[MostRows];
        for (var lane = 0; lane < lanes;)
        {
            var most = Avx512F.IsSupported ? 16 : Avx.IsSupported ? 8 : 4;
            while (most > lanes - lane)
                most = most == 4 ? 1 : most / 2;
            for (var i = 0; i < most; i++)
                rows[i] = (uint*)words.Address(source, firstLane + lane + i, firstK);
            var count = most switch
            {
                16 => TransposeSixteen(words, rows, lane, depth, stride, target + lane),
                8 => TransposeEight(words, rows, lane, depth, stride, target + lane),
                4 => TransposeFour(words, rows, lane, depth, stride, target + lane),
                _ => 0,
            };
            for (var i = 0; i < most; i++)
            {
                for (var k = count; k < depth; k++)
                    target[k * stride + lane + i] = words.At(rows[i], lane + i, k);
            }

            lane += most;
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
        if (source.IsTransposed && source.IsBFloat16)
        {
            Transpose(default(BFloat16Words), source, firstLane, lanes, firstK, depth, width, panel);
        }
        else if (source.IsTransposed)
        {
            Transpose(new Int8Words(source.Scales + firstLane), source, firstLane, lanes, firstK, depth, width, panel);
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

    // Gives how many of each row's numbers were written, all but some at its end. Here four rows are in each quarter of a 512-bit register, all quarters
    // transposed by the same shuffles.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int TransposeSixteen<TWords>(TWords words, uint** rows, int lane, int depth, int stride, float* target)
        where TWords : struct, IPackedWords
    {
        var k = 0;
        for (; (k + 4) * TWords.Numbers <= depth; k += 4, target += 4 * TWords.Numbers * stride)
        {
            if (k % MemoryBlock.Alignment == 0)
                PrefetchRows(rows, 16, k);
            var a = LoadQuarters(rows, k);
            var b = LoadQuarters(rows + 1, k);
            var c = LoadQuarters(rows + 2, k);
            var d = LoadQuarters(rows + 3, k);
            var ac = Avx512F.UnpackLow(a, c);
            var bd = Avx512F.UnpackLow(b, d);
            words.Store(Avx512F.UnpackLow(ac, bd), lane, target, stride);
            words.Store(Avx512F.UnpackHigh(ac, bd), lane, target + TWords.Numbers * stride, stride);
            ac = Avx512F.UnpackHigh(a, c);
            bd = Avx512F.UnpackHigh(b, d);
            words.Store(Avx512F.UnpackLow(ac, bd), lane, target + 2 * TWords.Numbers * stride, stride);
            words.Store(Avx512F.UnpackHigh(ac, bd), lane, target + 3 * TWords.Numbers * stride, stride);
        }

        return k * TWords.Numbers;
    }

    // Four rows in each half of a 256-bit register.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int TransposeEight<TWords>(TWords words, uint** rows, int lane, int depth, int stride, float* target)
        where TWords : struct, IPackedWords
    {
        var k = 0;
        for (; (k + 4) * TWords.Numbers <= depth; k += 4, target += 4 * TWords.Numbers * stride)
        {
            if (k % MemoryBlock.Alignment == 0)
                PrefetchRows(rows, 8, k);
            var a = LoadHalves(rows, k);
            var b = LoadHalves(rows + 1, k);
            var c = LoadHalves(rows + 2, k);
            var d = LoadHalves(rows + 3, k);
            var ac = Avx.UnpackLow(a, c);
            var bd = Avx.UnpackLow(b, d);
            words.Store(Avx.UnpackLow(ac, bd), lane, target, stride);
            words.Store(Avx.UnpackHigh(ac, bd), lane, target + TWords.Numbers * stride, stride);
            ac = Avx.UnpackHigh(a, c);
            bd = Avx.UnpackHigh(b, d);
            words.Store(Avx.UnpackLow(ac, bd), lane, target + 2 * TWords.Numbers * stride, stride);
            words.Store(Avx.UnpackHigh(ac, bd), lane, target + 3 * TWords.Numbers * stride, stride);
        }

        return k * TWords.Numbers;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int TransposeFour<TWords>(TWords words, uint** rows, int lane, int depth, int stride, float* target)
        where TWords : struct, IPackedWords
    {
        var k = 0;
        for (; (k + 4) * TWords.Numbers <= depth; k += 4, target += 4 * TWords.Numbers * stride)
        {
            var a = Vector128.Load((float*)rows[0] + k);
            var b = Vector128.Load((float*)rows[1] + k);
            var c = Vector128.Load((float*)rows[2] + k);
            var d = Vector128.Load((float*)rows[3] + k);
            var ac = InterleaveLower(a, c);
            var bd = InterleaveLower(b, d);
            words.Store(InterleaveLower(ac, bd), lane, target, stride);
            words.Store(InterleaveUpper(ac, bd), lane, target + TWords.Numbers * stride, stride);
            ac = InterleaveUpper(a, c);
            bd = InterleaveUpper(b, d);
            words.Store(InterleaveLower(ac, bd), lane, target + 2 * TWords.Numbers * stride, stride);
            words.Store(InterleaveUpper(ac, bd), lane, target + 3 * TWords.Numbers * stride, stride);
        }

        return k * TWords.Numbers;
    }

    // Rows are short here; left alone, the processor has hardly found out where they go when they end.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PrefetchRows(uint** rows, int lanes, int k)
    {
        for (var lane = 0; lane < lanes; lane++)
            Sse.Prefetch0(rows[lane] + k + WordsAhead);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> LoadHalves(uint** rows, int k) =>
        Vector256.Create(Vector128.Load((float*)rows[0] + k), Vector128.Load((float*)rows[4] + k));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> LoadQuarters(uint** rows, int k) => Vector512.Create(
        Vector256.Create(Vector128.Load((float*)rows[0] + k), Vector128.Load((float*)rows[4] + k)),
        Vector256.Create(Vector128.Load((float*)rows[8] + k), Vector128.Load((float*)rows[12] + k)));

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
