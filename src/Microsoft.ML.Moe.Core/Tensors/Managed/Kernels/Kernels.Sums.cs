using System.Runtime.CompilerServices;

namespace Microsoft.ML.Moe.Tensors.Managed;

internal sealed unsafe partial class Kernels<TSimd, TVector>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void AddRows(float* x, int rows, nint stride, float* result, int n)
    {
        var i = 0;
        for (; i <= n - 4 * TSimd.Count; i += 4 * TSimd.Count)
        {
            TVector sum0 = default, sum1 = default, sum2 = default, sum3 = default;
            var row = x + i;
            for (var r = 0; r < rows; r++, row += stride)
            {
                sum0 = TSimd.Add(sum0, TSimd.Load(row));
                sum1 = TSimd.Add(sum1, TSimd.Load(row + TSimd.Count));
                sum2 = TSimd.Add(sum2, TSimd.Load(row + 2 * TSimd.Count));
                sum3 = TSimd.Add(sum3, TSimd.Load(row + 3 * TSimd.Count));
            }

            TSimd.Store(TSimd.Add(sum0, TSimd.Load(result + i)), result + i);
            TSimd.Store(TSimd.Add(sum1, TSimd.Load(result + i + TSimd.Count)), result + i + TSimd.Count);
            TSimd.Store(TSimd.Add(sum2, TSimd.Load(result + i + 2 * TSimd.Count)), result + i + 2 * TSimd.Count);
            TSimd.Store(TSimd.Add(sum3, TSimd.Load(result + i + 3 * TSimd.Count)), result + i + 3 * TSimd.Count);
        }

        for (; i < n; i += TSimd.Count)
        {
            var count = Math.Min(n - i, TSimd.Count);
            TVector sum = default;
            for (var r = 0; r < rows; r++)
                sum = TSimd.Add(sum, LoadUpTo(x + r * stride + i, count));
            StoreUpTo(TSimd.Add(sum, LoadUpTo(result + i, count)), result + i, count);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void SumRows(
        float* table, nint stride, int* rows, float* weights, int count, float* result, int n, bool accumulate)
    {
        // Eight vectors at a time stay in registers while the rows go by.
        var i = 0;
        for (; i <= n - 8 * TSimd.Count; i += 8 * TSimd.Count)
        {
            TVector s0 = default, s1 = default, s2 = default, s3 = default, s4 = default, s5 = default, s6 = default, s7 = default;
            var target = result + i;
            if (accumulate)
            {
                s0 = TSimd.Load(target);
                s1 = TSimd.Load(target + TSimd.Count);
                s2 = TSimd.Load(target + 2 * TSimd.Count);
                s3 = TSimd.Load(target + 3 * TSimd.Count);
                s4 = TSimd.Load(target + 4 * TSimd.Count);
                s5 = TSimd.Load(target + 5 * TSimd.Count);
                s6 = TSimd.Load(target + 6 * TSimd.Count);
                s7 = TSimd.Load(target + 7 * TSimd.Count);
            }

            for (var j = 0; j < count; j++)
            {
                var row = table + rows[j] * stride + i;
                var weight = TSimd.Create(weights == null ? 1f : weights[j]);
                s0 = TSimd.MultiplyAdd(weight, TSimd.Load(row), s0);
                s1 = TSimd.MultiplyAdd(weight, TSimd.Load(row + TSimd.Count), s1);
                s2 = TSimd.MultiplyAdd(weight, TSimd.Load(row + 2 * TSimd.Count), s2);
                s3 = TSimd.MultiplyAdd(weight, TSimd.Load(row + 3 * TSimd.Count), s3);
                s4 = TSimd.MultiplyAdd(weight, TSimd.Load(row + 4 * TSimd.Count), s4);
                s5 = TSimd.MultiplyAdd(weight, TSimd.Load(row + 5 * TSimd.Count), s5);
                s6 = TSimd.MultiplyAdd(weight, TSimd.Load(row + 6 * TSimd.Count), s6);
                s7 = TSimd.MultiplyAdd(weight, TSimd.Load(row + 7 * TSimd.Count), s7);
            }

            TSimd.Store(s0, target);
            TSimd.Store(s1, target + TSimd.Count);
            TSimd.Store(s2, target + 2 * TSimd.Count);
            TSimd.Store(s3, target + 3 * TSimd.Count);
            TSimd.Store(s4, target + 4 * TSimd.Count);
            TSimd.Store(s5, target + 5 * TSimd.Count);
            TSimd.Store(s6, target + 6 * TSimd.Count);
            TSimd.Store(s7, target + 7 * TSimd.Count);
        }

        for (; i < n; i += TSimd.Count)
        {
            var width = Math.Min(n - i, TSimd.Count);
            var sum = accumulate ? LoadUpTo(result + i, width) : default;
            for (var j = 0; j < count; j++)
            {
                var weight = TSimd.Create(weights == null ? 1f : weights[j]);
                sum = TSimd.MultiplyAdd(weight, LoadUpTo(table + rows[j] * stride + i, width), sum);
            }

            StoreUpTo(sum, result + i, width);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void TakeLarger(float* x, int number, float* best, int* winner, int n)
    {
        // The number's bits travel as a float's: they are selected, never calculated with.
        var numbers = TSimd.Create(BitConverter.Int32BitsToSingle(number));
        for (var i = 0; i < n; i += TSimd.Count)
        {
            var count = Math.Min(n - i, TSimd.Count);
            var value = LoadUpTo(x + i, count);
            var old = LoadUpTo(best + i, count);
            StoreUpTo(TSimd.SelectLess(old, value, value, old), best + i, count);
            StoreUpTo(TSimd.SelectLess(old, value, numbers, LoadUpTo((float*)winner + i, count)), (float*)winner + i, count);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector LoadUpTo(float* x, int count) => count == TSimd.Count ? TSimd.Load(x) : TSimd.LoadFirst(x, count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreUpTo(TVector x, float* destination, int count)
    {
        if (count == TSimd.Count)
            TSimd.Store(x, destination);
        else
            TSimd.StoreFirst(x, destination, count);
    }
}
