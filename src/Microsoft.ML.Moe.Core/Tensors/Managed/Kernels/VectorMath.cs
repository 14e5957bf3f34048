using System.Runtime.CompilerServices;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Elementary functions on vectors, accurate to about 1e-6 relative.</summary>
internal static class VectorMath<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private const float LargestExponent = 88.37f;
    private const float SmallestExponent = -87.33f;

    /// <summary>
    /// eˣ = 2ⁿ·eʳ with n = round(x/ln 2) and a polynomial for eʳ (Cephes expf). 0 below −87.33, infinite above 88.37.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Exp(TVector x)
    {
        // The constants stand first, so that NaN passes through.
        var clamped = TSimd.Max(TSimd.Create(SmallestExponent), TSimd.Min(TSimd.Create(LargestExponent), x));
        var n = TSimd.Round(TSimd.Multiply(clamped, TSimd.Create(1.44269504f)));
        var r = TSimd.MultiplyAdd(n, TSimd.Create(-0.693359375f), clamped);
        r = TSimd.MultiplyAdd(n, TSimd.Create(2.12194440e-4f), r);
        var p = TSimd.MultiplyAdd(TSimd.Create(1.9875691500e-4f), r, TSimd.Create(1.3981999507e-3f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(8.3334519073e-3f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(4.1665795894e-2f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(1.6666665459e-1f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(5.0000001201e-1f));
        p = TSimd.MultiplyAdd(p, TSimd.Multiply(r, r), TSimd.Add(r, TSimd.Create(1f)));
        var result = TSimd.Scale(p, n);
        result = TSimd.SelectLess(x, TSimd.Create(SmallestExponent), default, result);
        return TSimd.SelectLess(TSimd.Create(LargestExponent), x, TSimd.Create(float.PositiveInfinity), result);
    }

    /// <summary>2ˣ as <see cref="Exp2Within"/>. 2⁻¹²⁶ below −126, infinite from 128.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Exp2(TVector x)
    {
        // The constants stand first, so that NaN passes through. At 128 the polynomial is exactly 1.
        return Exp2Within(TSimd.Max(TSimd.Create(-126f), TSimd.Min(TSimd.Create(128f), x)));
    }

    /// <summary>2ˣ = 2ⁿ·2ʳ with n = round(x) and a minimax polynomial for 2ʳ, for x within [−126, 128].</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Exp2Within(TVector x)
    {
        var n = TSimd.Round(x);
        var r = TSimd.Subtract(x, n);
        var p = TSimd.MultiplyAdd(TSimd.Create(1.326472731e-3f), r, TSimd.Create(9.671512991e-3f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(5.550733581e-2f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(2.402224243e-1f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(6.931470037e-1f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(1f));
        return TSimd.Scale(p, n);
    }

    /// <summary>1/(1 + e⁻ˣ).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Sigmoid(TVector x)
    {
        var one = TSimd.Create(1f);
        return TSimd.Divide(one, TSimd.Add(one, Exp(TSimd.Subtract(default, x))));
    }

    /// <summary>tanh(x): a polynomial near 0 (Cephes tanhf), elsewhere 1 − 2/(e²ˣ + 1).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Tanh(TVector x)
    {
        var one = TSimd.Create(1f);
        var square = TSimd.Multiply(x, x);
        var p = TSimd.MultiplyAdd(TSimd.Create(-5.70498872745e-3f), square, TSimd.Create(2.06390887954e-2f));
        p = TSimd.MultiplyAdd(p, square, TSimd.Create(-5.37397155531e-2f));
        p = TSimd.MultiplyAdd(p, square, TSimd.Create(1.33314422036e-1f));
        p = TSimd.MultiplyAdd(p, square, TSimd.Create(-3.33332819422e-1f));
        var near = TSimd.MultiplyAdd(TSimd.Multiply(p, square), x, x);
        var far = TSimd.Subtract(one, TSimd.Divide(TSimd.Create(2f), TSimd.Add(Exp(TSimd.Add(x, x)), one)));
        return TSimd.SelectLess(TSimd.Abs(x), TSimd.Create(0.625f), near, far);
    }
}
