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
        for (var i = 0; i < n; i += TSimd.Count)
        {
            var count = Math.Min(n - i, TSimd.Count);
            var d = TSimd.Multiply(factors, TSimd.Multiply(LoadUpTo(y + i, count), TSimd.Subtract(LoadUpTo(dY + i, count), dot)));
            StoreUpTo(accumulate ? TSimd.Add(d, LoadUpTo(dX + i, count)) : d, dX + i, count);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void LayerNorm(
        float* x, float* gain, float* bias, float* y, int n, float epsilon, out float mean, out float inverse)
    {
        mean = Sum(x, n) / n;
        var means = TSimd.Create(mean);
        TVector squares = default;
        var i = 0;
        for (; i <= n - TSimd.Count; i += TSimd.Count)
        {
            var d = TSimd.Subtract(TSimd.Load(x + i), means);
            squares = TSimd.MultiplyAdd(d, d, squares);
        }

        var sum = TSimd.Sum(squares);
        for (; i < n; i++)
            sum += (x[i] - mean) * (x[i] - mean);
        inverse = 1f / MathF.Sqrt(sum / n + epsilon);
        var inverses = TSimd.Create(inverse);
        for (i = 0; i < n; i += TSimd.Count)
        {
            var count = Math.Min(n - i, TSimd.Count);
            var normal = TSimd.Multiply(TSimd.Subtract(LoadUpTo(x + i, count), means), inverses);
            StoreUpTo(TSimd.MultiplyAdd(normal, LoadUpTo(gain + i, count), LoadUpTo(bias + i, count)), y + i, count);
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
        TVector sumG = default, sumGNormal = default;
        for (var i = 0; i < n; i += TSimd.Count)
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
        var meanG = TSimd.Create(TSimd.Sum(sumG) / n);
        var meanGNormal = TSimd.Create(TSimd.Sum(sumGNormal) / n);
        for (var i = 0; i < n; i += TSimd.Count)
        {
            var count = Math.Min(n - i, TSimd.Count);
            var normal = TSimd.Multiply(TSimd.Subtract(LoadUpTo(x + i, count), means), inverses);
            var g = TSimd.Multiply(LoadUpTo(dY + i, count), LoadUpTo(gain + i, count));
            var centred = TSimd.Subtract(TSimd.Subtract(g, meanG), TSimd.Multiply(normal, meanGNormal));
            var before = accumulate ? LoadUpTo(dX + i, count) : default;
            StoreUpTo(TSimd.MultiplyAdd(centred, inverses, before), dX + i, count);
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
