using System.Runtime.CompilerServices;

namespace Microsoft.ML.Moe.Tensors.Managed;

internal sealed unsafe partial class Kernels<TSimd, TVector>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override float Sum(float* x, int n)
    {
        // an addition takes some cycles, and one can begin in each: several sums go side by side
        TVector sum0 = default, sum1 = default, sum2 = default, sum3 = default;
        var i = 0;
        for (; i <= n - 4 * TSimd.Count; i += 4 * TSimd.Count)
        {
            sum0 = TSimd.Add(sum0, TSimd.Load(x + i));
            sum1 = TSimd.Add(sum1, TSimd.Load(x + i + TSimd.Count));
            sum2 = TSimd.Add(sum2, TSimd.Load(x + i + 2 * TSimd.Count));
            sum3 = TSimd.Add(sum3, TSimd.Load(x + i + 3 * TSimd.Count));
        }

        for (; i < n; i += TSimd.Count)
            sum0 = TSimd.Add(sum0, LoadUpTo(x + i, Math.Min(n - i, TSimd.Count)));
        return TSimd.Sum(TSimd.Add(TSimd.Add(sum0, sum1), TSimd.Add(sum2, sum3)));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override float Dot(float* x, float* y, int n)
    {
        TVector sum0 = default, sum1 = default;
        var i = 0;
        for (; i <= n - 2 * TSimd.Count; i += 2 * TSimd.Count)
        {
            sum0 = TSimd.MultiplyAdd(TSimd.Load(x + i), TSimd.Load(y + i), sum0);
            sum1 = TSimd.MultiplyAdd(TSimd.Load(x + i + TSimd.Count), TSimd.Load(y + i + TSimd.Count), sum1);
        }

        if (i <= n - TSimd.Count)
        {
            sum0 = TSimd.MultiplyAdd(TSimd.Load(x + i), TSimd.Load(y + i), sum0);
            i += TSimd.Count;
        }

        if (i < n)
            sum1 = TSimd.MultiplyAdd(TSimd.LoadFirst(x + i, n - i), TSimd.LoadFirst(y + i, n - i), sum1);
        return TSimd.Sum(TSimd.Add(sum0, sum1));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Add(float* x, float* y, float* result, int n)
    {
        var i = 0;
        for (; i <= n - TSimd.Count; i += TSimd.Count)
            TSimd.Store(TSimd.Add(TSimd.Load(x + i), TSimd.Load(y + i)), result + i);
        for (; i < n; i++)
            result[i] = x[i] + y[i];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Multiply(float* x, float* y, float* result, int n)
    {
        var i = 0;
        for (; i <= n - TSimd.Count; i += TSimd.Count)
            TSimd.Store(TSimd.Multiply(TSimd.Load(x + i), TSimd.Load(y + i)), result + i);
        for (; i < n; i++)
            result[i] = x[i] * y[i];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Scale(float factor, float* x, float* result, int n)
    {
        var factors = TSimd.Create(factor);
        var i = 0;
        for (; i <= n - TSimd.Count; i += TSimd.Count)
            TSimd.Store(TSimd.Multiply(factors, TSimd.Load(x + i)), result + i);
        for (; i < n; i++)
            result[i] = factor * x[i];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void AddScaled(float factor, float* x, float* result, int n)
    {
        var factors = TSimd.Create(factor);
        var i = 0;
        for (; i <= n - TSimd.Count; i += TSimd.Count)
            TSimd.Store(TSimd.MultiplyAdd(factors, TSimd.Load(x + i), TSimd.Load(result + i)), result + i);
        if (i == n)
            return;
        var rest = TSimd.MultiplyAdd(factors, TSimd.LoadFirst(x + i, n - i), TSimd.LoadFirst(result + i, n - i));
        TSimd.StoreFirst(rest, result + i, n - i);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void AddProduct(float* x, float* y, float* result, int n)
    {
        var i = 0;
        for (; i <= n - TSimd.Count; i += TSimd.Count)
            TSimd.Store(TSimd.MultiplyAdd(TSimd.Load(x + i), TSimd.Load(y + i), TSimd.Load(result + i)), result + i);
        if (i == n)
            return;
        var rest = TSimd.MultiplyAdd(
            TSimd.LoadFirst(x + i, n - i), TSimd.LoadFirst(y + i, n - i), TSimd.LoadFirst(result + i, n - i));
        TSimd.StoreFirst(rest, result + i, n - i);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Dropout(
        float factor, float* x, float* added, float* result, int n, uint first, uint key, uint threshold)
    {
        var factors = TSimd.Create(factor);
        var i = 0;
        for (; i <= n - TSimd.Count; i += TSimd.Count)
        {
            var kept = TSimd.Keep(TSimd.Multiply(factors, TSimd.Load(x + i)), first + (uint)i, 1, key, threshold);
            TSimd.Store(added == null ? kept : TSimd.Add(TSimd.Load(added + i), kept), result + i);
        }

        if (i == n)
            return;
        var rest = TSimd.Keep(TSimd.Multiply(factors, TSimd.LoadFirst(x + i, n - i)), first + (uint)i, 1, key, threshold);
        if (added != null)
            rest = TSimd.Add(TSimd.LoadFirst(added + i, n - i), rest);
        TSimd.StoreFirst(rest, result + i, n - i);
    }
}
