using System.Runtime.CompilerServices;

namespace Microsoft.ML.Moe.Tensors.Managed;

internal sealed unsafe partial class Kernels<TSimd, TVector>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override float Softmax(float factor, float* x, float* y, int n)
    {
        var factors = TSimd.Create(factor);
        var nothing = TSimd.Create(float.NegativeInfinity);
        var largests = nothing;
        var i = 0;
        for (; i <= n - TSimd.Count; i += TSimd.Count)
            largests = TSimd.Max(largests, TSimd.Multiply(factors, TSimd.Load(x + i)));
        if (i < n)
            largests = TSimd.Max(largests, TSimd.Multiply(factors, TSimd.LoadFirst(x + i, n - i, nothing)));
        var largest = TSimd.MaxAcross(largests);
        if (float.IsNegativeInfinity(largest))
        {
            // The maximum passes NaN over; the sum does not.
            var nanOrZero = float.IsNaN(Sum(x, n)) ? float.NaN : 0f;
            new Span<float>(y, n).Fill(nanOrZero);
            return largest + nanOrZero;
        }

        var shift = TSimd.Create(-largest);
        TVector sums = default;
        i = 0;
        for (; i <= n - TSimd.Count; i += TSimd.Count)
        {
            var e = VectorMath<TSimd, TVector>.Exp(TSimd.MultiplyAdd(factors, TSimd.Load(x + i), shift));
            sums = TSimd.Add(sums, e);
            TSimd.Store(e, y + i);
        }

        if (i < n)
        {
            var rest = TSimd.LoadFirst(x + i, n - i, nothing);
            var e = VectorMath<TSimd, TVector>.Exp(TSimd.MultiplyAdd(factors, rest, shift));
            sums = TSimd.Add(sums, e);
            TSimd.StoreFirst(e, y + i, n - i);
        }

        var sum = TSimd.Sum(sums);
        Scale(1f / sum, y, y, n);
        return largest + MathF.Log(sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void SoftmaxBackward(float factor, float* y, float* dY, float* dX, int n, bool accumulate)
    {
        var dot = TSimd.Create(Dot(y, dY, n));
        var factors = TSimd.Create(factor);
        var i = 0;
        for (; i <= n - TSimd.Count; i += TSimd.Count)
        {
            var d = TSimd.Multiply(factors, TSimd.Multiply(TSimd.Load(y + i), TSimd.Subtract(TSimd.Load(dY + i), dot)));
            TSimd.Store(accumulate ? TSimd.Add(d, TSimd.Load(dX + i)) : d, dX + i);
        }

        if (i < n)
        {
            var count = n - i;
            var d = TSimd.Multiply(factors, TSimd.Multiply(TSimd.LoadFirst(y + i, count), TSimd.Subtract(TSimd.LoadFirst(dY + i, count), dot)));
            TSimd.StoreFirst(accumulate ? TSimd.Add(d, TSimd.LoadFirst(dX + i, count)) : d, dX + i, count);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void LayerNorm(
        float* x, float* gain, float* bias, float* y, int n, float epsilon, out float mean, out float inverse)
    {
        mean = Sum(x, n) / n;
        var means = TSimd.Create(mean);
        TVector squares0 = default, squares1 = default, squares2 = default, squares3 = default;
        var i = 0;
        for (; i <= n - 4 * TSimd.Count; i += 4 * TSimd.Count)
        {
            var d0 = TSimd.Subtract(TSimd.Load(x + i), means);
            var d1 = TSimd.Subtract(TSimd.Load(x + i + TSimd.Count), means);
            var d2 = TSimd.Subtract(TSimd.Load(x + i + 2 * TSimd.Count), means);
            var d3 = TSimd.Subtract(TSimd.Load(x + i + 3 * TSimd.Count), means);
            squares0 = TSimd.MultiplyAdd(d0, d0, squares0);
            squares1 = TSimd.MultiplyAdd(d1, d1, squares1);
            squares2 = TSimd.MultiplyAdd(d2, d2, squares2);
            squares3 = TSimd.MultiplyAdd(d3, d3, squares3);
        }

        for (; i <= n - TSimd.Count; i += TSimd.Count)
        {
            var d = TSimd.Subtract(TSimd.Load(x + i), means);
            squares0 = TSimd.MultiplyAdd(d, d, squares0);
        }

        var sum = TSimd.Sum(TSimd.Add(TSimd.Add(squares0, squares1), TSimd.Add(squares2, squares3)));
        for (; i < n; i++)
            sum += (x[i] - mean) * (x[i] - mean);
        inverse = 1f / MathF.Sqrt(sum / n + epsilon);
        var inverses = TSimd.Create(inverse);
        for (i = 0; i <= n - TSimd.Count; i += TSimd.Count)
        {
            var normal = TSimd.Multiply(TSimd.Subtract(TSimd.Load(x + i), means), inverses);
            TSimd.Store(TSimd.MultiplyAdd(normal, TSimd.Load(gain + i), TSimd.Load(bias + i)), y + i);
        }

        if (i < n)
        {
            var normal = TSimd.Multiply(TSimd.Subtract(TSimd.LoadFirst(x + i, n - i), means), inverses);
            TSimd.StoreFirst(TSimd.MultiplyAdd(normal, TSimd.LoadFirst(gain + i, n - i), TSimd.LoadFirst(bias + i, n - i)), y + i, n - i);
        }
    }

    // With x̂ the normal value and g = gain∘dY: dX = (g − mean(g) − x̂·mean(g∘x̂))/√(variance + ε).
    // Lanes past the end are 0 in gain and dY, and so in every sum.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void LayerNormBackward(
        float* x, float* gain, float* dY, float mean, float inverse, float* dX, bool accumulate, float* dGain, float* dBias, int n)
    {
        var means = TSimd.Create(mean);
        var inverses = TSimd.Create(inverse);
        TVector sumG = default, sumGNormal = default, sumG1 = default, sumGNormal1 = default;
        var i = 0;
        for (; i <= n - 2 * TSimd.Count; i += 2 * TSimd.Count)
        {
            var (d0, d1) = (TSimd.Load(dY + i), TSimd.Load(dY + i + TSimd.Count));
            var normal0 = TSimd.Multiply(TSimd.Subtract(TSimd.Load(x + i), means), inverses);
            var normal1 = TSimd.Multiply(TSimd.Subtract(TSimd.Load(x + i + TSimd.Count), means), inverses);
            var g0 = TSimd.Multiply(d0, TSimd.Load(gain + i));
            var g1 = TSimd.Multiply(d1, TSimd.Load(gain + i + TSimd.Count));
            sumG = TSimd.Add(sumG, g0);
            sumG1 = TSimd.Add(sumG1, g1);
            sumGNormal = TSimd.MultiplyAdd(g0, normal0, sumGNormal);
            sumGNormal1 = TSimd.MultiplyAdd(g1, normal1, sumGNormal1);
            TSimd.Store(TSimd.MultiplyAdd(d0, normal0, TSimd.Load(dGain + i)), dGain + i);
            TSimd.Store(TSimd.MultiplyAdd(d1, normal1, TSimd.Load(dGain + i + TSimd.Count)), dGain + i + TSimd.Count);
            TSimd.Store(TSimd.Add(d0, TSimd.Load(dBias + i)), dBias + i);
            TSimd.Store(TSimd.Add(d1, TSimd.Load(dBias + i + TSimd.Count)), dBias + i + TSimd.Count);
        }

        for (; i < n; i += TSimd.Count)
        {
            var count = Math.Min(n - i, TSimd.Count);
            var d = LoadUpTo(dY + i, count);
            var normal = TSimd.Multiply(TSimd.Subtract(LoadUpTo(x + i, count), means), inverses);
            var g = TSimd.Multiply(d, LoadUpTo(gain + i, count));
            sumG = TSimd.Add(sumG, g);
            sumGNormal = TSimd.MultiplyAdd(g, normal, sumGNormal);
            StoreUpTo(TSimd.MultiplyAdd(d, normal, LoadUpTo(dGain + i, count)), dGain + i, count);
            StoreUpTo(TSimd.Add(d, LoadUpTo(dBias + i, count)), dBias + i, count);
        }

        if (dX == null)
            return;
        var meanG = TSimd.Create(TSimd.Sum(TSimd.Add(sumG, sumG1)) / n);
        var meanGNormal = TSimd.Create(TSimd.Sum(TSimd.Add(sumGNormal, sumGNormal1)) / n);
        for (i = 0; i <= n - TSimd.Count; i += TSimd.Count)
        {
            var normal = TSimd.Multiply(TSimd.Subtract(TSimd.Load(x + i), means), inverses);
            var g = TSimd.Multiply(TSimd.Load(dY + i), TSimd.Load(gain + i));
            var centred = TSimd.Subtract(TSimd.Subtract(g, meanG), TSimd.Multiply(normal, meanGNormal));
            TSimd.Store(TSimd.MultiplyAdd(centred, inverses, accumulate ? TSimd.Load(dX + i) : default), dX + i);
        }

        if (i < n)
        {
            var count = n - i;
            var normal = TSimd.Multiply(TSimd.Subtract(TSimd.LoadFirst(x + i, count), means), inverses);
            var g = TSimd.Multiply(TSimd.LoadFirst(dY + i, count), TSimd.LoadFirst(gain + i, count));
            var centred = TSimd.Subtract(TSimd.Subtract(g, meanG), TSimd.Multiply(normal, meanGNormal));
            var before = accumulate ? TSimd.LoadFirst(dX + i, count) : default;
            TSimd.StoreFirst(TSimd.MultiplyAdd(centred, inverses, before), dX + i, count);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override float RmsNorm(float* x, float* gain, float* y, int n, float epsilon)
    {
        var inverse = 1f / MathF.Sqrt(Dot(x, x, n) / n + epsilon);
        var inverses = TSimd.Create(inverse);
        for (var i = 0; i < n; i += TSimd.Count)
        {
            var count = Math.Min(n - i, TSimd.Count);
            StoreUpTo(TSimd.Multiply(TSimd.Multiply(LoadUpTo(x + i, count), inverses), LoadUpTo(gain + i, count)), y + i, count);
        }

        return inverse;
    }

    // With x̂ = x·inverse and g = gain∘dY: dX = inverse·(g − x̂·mean(g∘x̂)).
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void RmsNormBackward(
        float* x, float* gain, float* dY, float inverse, float* dX, bool accumulate, float* dGain, int n)
    {
        var inverses = TSimd.Create(inverse);
        TVector sum = default;
        for (var i = 0; i < n; i += TSimd.Count)
        {
            var count = Math.Min(n - i, TSimd.Count);
            var d = LoadUpTo(dY + i, count);
            var normal = TSimd.Multiply(LoadUpTo(x + i, count), inverses);
            sum = TSimd.MultiplyAdd(TSimd.Multiply(d, LoadUpTo(gain + i, count)), normal, sum);
            StoreUpTo(TSimd.MultiplyAdd(d, normal, LoadUpTo(dGain + i, count)), dGain + i, count);
        }

        if (dX == null)
            return;
        var mean = TSimd.Create(TSimd.Sum(sum) / n);
        for (var i = 0; i < n; i += TSimd.Count)
        {
            var count = Math.Min(n - i, TSimd.Count);
            var normal = TSimd.Multiply(LoadUpTo(x + i, count), inverses);
            var g = TSimd.Multiply(LoadUpTo(dY + i, count), LoadUpTo(gain + i, count));
            var before = accumulate ? LoadUpTo(dX + i, count) : default;
            StoreUpTo(TSimd.MultiplyAdd(TSimd.Subtract(g, TSimd.Multiply(normal, mean)), inverses, before), dX + i, count);
        }
    }
}
