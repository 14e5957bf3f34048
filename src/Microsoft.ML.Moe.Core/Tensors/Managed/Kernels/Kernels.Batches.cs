using System.Runtime.CompilerServices;

namespace Microsoft.ML.Moe.Tensors.Managed;

// Statistics of columns over the rows of a batch: a vector holds as many columns, and four sums of it hide the latency of addition.
internal sealed unsafe partial class Kernels<TSimd, TVector>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void ColumnMoments(float* x, int rows, int n, float* means, float* squares)
    {
        var share = TSimd.Create(1f / rows);
        for (var i = 0; i < n; i += TSimd.Count)
        {
            var count = Math.Min(n - i, TSimd.Count);
            TVector sum0 = default, sum1 = default, sum2 = default, sum3 = default;
            var row = x + i;
            var r = 0;
            for (; r <= rows - 4; r += 4, row += 4 * n)
            {
                sum0 = TSimd.Add(sum0, LoadUpTo(row, count));
                sum1 = TSimd.Add(sum1, LoadUpTo(row + n, count));
                sum2 = TSimd.Add(sum2, LoadUpTo(row + 2 * n, count));
                sum3 = TSimd.Add(sum3, LoadUpTo(row + 3 * n, count));
            }

            for (; r < rows; r++, row += n)
                sum0 = TSimd.Add(sum0, LoadUpTo(row, count));
            var mean = TSimd.Multiply(share, TSimd.Add(TSimd.Add(sum0, sum1), TSimd.Add(sum2, sum3)));
            StoreUpTo(mean, means + i, count);

            (sum0, sum1, sum2, sum3) = (default, default, default, default);
            row = x + i;
            r = 0;
            for (; r <= rows - 4; r += 4, row += 4 * n)
            {
                var d0 = TSimd.Subtract(LoadUpTo(row, count), mean);
                var d1 = TSimd.Subtract(LoadUpTo(row + n, count), mean);
                var d2 = TSimd.Subtract(LoadUpTo(row + 2 * n, count), mean);
                var d3 = TSimd.Subtract(LoadUpTo(row + 3 * n, count), mean);
                sum0 = TSimd.MultiplyAdd(d0, d0, sum0);
                sum1 = TSimd.MultiplyAdd(d1, d1, sum1);
                sum2 = TSimd.MultiplyAdd(d2, d2, sum2);
                sum3 = TSimd.MultiplyAdd(d3, d3, sum3);
            }

            for (; r < rows; r++, row += n)
            {
                var d = TSimd.Subtract(LoadUpTo(row, count), mean);
                sum0 = TSimd.MultiplyAdd(d, d, sum0);
            }

            StoreUpTo(TSimd.Add(TSimd.Add(sum0, sum1), TSimd.Add(sum2, sum3)), squares + i, count);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void ScaleColumns(float* x, float* means, float* factors, float* shifts, float* y, int rows, int n)
    {
        for (var i = 0; i < n; i += TSimd.Count)
        {
            var count = Math.Min(n - i, TSimd.Count);
            var (mean, factor, shift) = (LoadUpTo(means + i, count), LoadUpTo(factors + i, count), LoadUpTo(shifts + i, count));
            var source = x + i;
            var target = y + i;
            for (var r = 0; r < rows; r++, source += n, target += n)
                StoreUpTo(TSimd.MultiplyAdd(TSimd.Subtract(LoadUpTo(source, count), mean), factor, shift), target, count);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void ColumnProducts(float* x, float* dY, float* means, int rows, int n, float* sums, float* products)
    {
        for (var i = 0; i < n; i += TSimd.Count)
        {
            var count = Math.Min(n - i, TSimd.Count);
            var mean = LoadUpTo(means + i, count);
            TVector sum0 = default, sum1 = default, product0 = default, product1 = default;
            var source = x + i;
            var gradient = dY + i;
            var r = 0;
            for (; r <= rows - 2; r += 2, source += 2 * n, gradient += 2 * n)
            {
                var d0 = LoadUpTo(gradient, count);
                var d1 = LoadUpTo(gradient + n, count);
                sum0 = TSimd.Add(sum0, d0);
                sum1 = TSimd.Add(sum1, d1);
                product0 = TSimd.MultiplyAdd(d0, TSimd.Subtract(LoadUpTo(source, count), mean), product0);
                product1 = TSimd.MultiplyAdd(d1, TSimd.Subtract(LoadUpTo(source + n, count), mean), product1);
            }

            if (r < rows)
            {
                var d = LoadUpTo(gradient, count);
                sum0 = TSimd.Add(sum0, d);
                product0 = TSimd.MultiplyAdd(d, TSimd.Subtract(LoadUpTo(source, count), mean), product0);
            }

            StoreUpTo(TSimd.Add(sum0, sum1), sums + i, count);
            StoreUpTo(TSimd.Add(product0, product1), products + i, count);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void CombineColumns(
        float* dY, float* x, float* means, float* factors, float* slopes, float* shifts, float* dX, bool accumulate, int rows, int n)
    {
        for (var i = 0; i < n; i += TSimd.Count)
        {
            var count = Math.Min(n - i, TSimd.Count);
            var (mean, factor) = (LoadUpTo(means + i, count), LoadUpTo(factors + i, count));
            var (slope, shift) = (LoadUpTo(slopes + i, count), LoadUpTo(shifts + i, count));
            var gradient = dY + i;
            var source = x + i;
            var target = dX + i;
            for (var r = 0; r < rows; r++, gradient += n, source += n, target += n)
            {
                var straight = TSimd.MultiplyAdd(TSimd.Subtract(LoadUpTo(source, count), mean), slope, shift);
                var result = TSimd.MultiplyAdd(LoadUpTo(gradient, count), factor, straight);
                StoreUpTo(accumulate ? TSimd.Add(result, LoadUpTo(target, count)) : result, target, count);
            }
        }
    }
}
