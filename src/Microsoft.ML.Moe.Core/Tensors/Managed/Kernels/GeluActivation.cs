using System.Runtime.CompilerServices;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>z/2·(1 + tanh u) = z/(1 + e⁻²ᵘ) with u = √(2/π)(z + 0.044715·z³).</summary>
internal readonly struct GeluActivation : IActivation
{
    private const float TwiceRoot = 1.5957691216f;
    private const float Cubic = 0.044715f;

    // Above it the value is z to the last bit, below its negative 0 to 1e-32, and powers in between are finite.
    private const float Flat = 9.5f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Value<TSimd, TVector>(TVector z)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        // The constants stand first, so that NaN passes through.
        z = TSimd.Max(TSimd.Create(-Flat), z);
        var near = TSimd.Min(TSimd.Create(Flat), z);
        return TSimd.Divide(z, Denominator<TSimd, TVector>(near, TSimd.Multiply(near, near)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Derivative<TSimd, TVector>(TVector z)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        z = TSimd.Max(TSimd.Create(-Flat), TSimd.Min(TSimd.Create(Flat), z));
        var square = TSimd.Multiply(z, z);
        var s = TSimd.Divide(TSimd.Create(1f), Denominator<TSimd, TVector>(z, square));
        var slope = TSimd.MultiplyAdd(square, TSimd.Create(3f * Cubic * TwiceRoot), TSimd.Create(TwiceRoot));
        var rest = TSimd.Multiply(TSimd.Multiply(s, TSimd.Subtract(TSimd.Create(1f), s)), z);
        return TSimd.MultiplyAdd(rest, slope, s);
    }

    // 1 + e⁻²ᵘ; the power is taken to base 2, so that the base costs nothing.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Denominator<TSimd, TVector>(TVector z, TVector square)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        const float Log2E = 1.44269504f;
        var factor = TSimd.MultiplyAdd(square, TSimd.Create(-Log2E * Cubic * TwiceRoot), TSimd.Create(-Log2E * TwiceRoot));
        return TSimd.Add(TSimd.Create(1f), VectorMath<TSimd, TVector>.Exp2Within(TSimd.Multiply(z, factor)));
    }
}
