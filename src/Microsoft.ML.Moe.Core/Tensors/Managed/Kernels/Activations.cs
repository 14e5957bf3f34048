using System.Runtime.CompilerServices;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>A non-linearity and its derivative on vectors.</summary>
internal interface IActivation
{
    static abstract TVector Value<TSimd, TVector>(TVector z)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;

    static abstract TVector Derivative<TSimd, TVector>(TVector z)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;
}

/// <summary>z itself.</summary>
internal readonly struct IdentityActivation : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Value<TSimd, TVector>(TVector z)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => z;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Derivative<TSimd, TVector>(TVector z)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.Create(1f);
}

/// <summary>max(z, 0).</summary>
internal readonly struct ReluActivation : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Value<TSimd, TVector>(TVector z)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.Max(default, z);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Derivative<TSimd, TVector>(TVector z)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.SelectLess(default, z, TSimd.Create(1f), default);
}

/// <summary>z/2·(1 + tanh u) = z/(1 + e⁻²ᵘ) with u = √(2/π)(z + 0.044715·z³).</summary>
internal readonly struct GeluTanhActivation : IActivation
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

/// <summary>
/// z·Φ(z) = max(z, 0) − |z|·Φ(−|z|) with Φ the normal distribution. Φ(−a) = e^(−a²/2)·t·q(t), t = 1/(1 + 0.35·a), q a minimax polynomial
/// of degree 8, made for this: 3e-8 relative over all a up to 14, from where on Φ(−a) is 0 in single precision.
/// </summary>
internal readonly struct GeluErfActivation : IActivation
{
    private const float Flat = 14f;
    private const float InverseRootOfTwoPi = 0.398942280f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Value<TSimd, TVector>(TVector z)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        var distance = TSimd.Min(TSimd.Create(Flat), TSimd.Abs(z));
        var tail = TSimd.Multiply(distance, Tail<TSimd, TVector>(distance, Bell<TSimd, TVector>(distance)));
        return TSimd.Subtract(TSimd.Max(default, z), tail);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Derivative<TSimd, TVector>(TVector z)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        // The constants stand first, so that NaN passes through.
        var near = TSimd.Max(TSimd.Create(-Flat), TSimd.Min(TSimd.Create(Flat), z));
        var distance = TSimd.Abs(near);
        var bell = Bell<TSimd, TVector>(distance);
        var tail = Tail<TSimd, TVector>(distance, bell);
        var share = TSimd.SelectLess(near, default, tail, TSimd.Subtract(TSimd.Create(1f), tail));
        return TSimd.MultiplyAdd(TSimd.Multiply(near, TSimd.Create(InverseRootOfTwoPi)), bell, share);
    }

    // e^(−a²/2). What rounding a² has lost would be seen far out, so it is put back where a fused multiply–add knows it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Bell<TSimd, TVector>(TVector a)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        var minusHalf = TSimd.Create(-0.5f);
        var square = TSimd.Multiply(a, a);
        var lost = TSimd.MultiplyAdd(a, a, TSimd.Subtract(default, square));
        var power = VectorMath<TSimd, TVector>.Exp(TSimd.Multiply(minusHalf, square));
        return TSimd.MultiplyAdd(TSimd.Multiply(power, minusHalf), lost, power);
    }

    // Φ(−a).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Tail<TSimd, TVector>(TVector a, TVector bell)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        var one = TSimd.Create(1f);
        var t = TSimd.Divide(one, TSimd.MultiplyAdd(a, TSimd.Create(0.35f), one));
        var q = TSimd.MultiplyAdd(TSimd.Create(-0.0291459169f), t, TSimd.Create(0.143971637f));
        q = TSimd.MultiplyAdd(q, t, TSimd.Create(-0.255714118f));
        q = TSimd.MultiplyAdd(q, t, TSimd.Create(0.15917401f));
        q = TSimd.MultiplyAdd(q, t, TSimd.Create(-0.0231097341f));
        q = TSimd.MultiplyAdd(q, t, TSimd.Create(0.105507962f));
        q = TSimd.MultiplyAdd(q, t, TSimd.Create(0.119832881f));
        q = TSimd.MultiplyAdd(q, t, TSimd.Create(0.139861867f));
        q = TSimd.MultiplyAdd(q, t, TSimd.Create(0.139621407f));
        return TSimd.Multiply(TSimd.Multiply(q, t), bell);
    }
}

/// <summary>z·sigmoid(z).</summary>
internal readonly struct SiluActivation : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Value<TSimd, TVector>(TVector z)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.Multiply(z, VectorMath<TSimd, TVector>.Sigmoid(z));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Derivative<TSimd, TVector>(TVector z)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        var s = VectorMath<TSimd, TVector>.Sigmoid(z);
        return TSimd.MultiplyAdd(TSimd.Multiply(s, TSimd.Subtract(TSimd.Create(1f), s)), z, s);
    }
}

/// <summary>tanh(z).</summary>
internal readonly struct TanhActivation : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Value<TSimd, TVector>(TVector z)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => VectorMath<TSimd, TVector>.Tanh(z);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Derivative<TSimd, TVector>(TVector z)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        var y = VectorMath<TSimd, TVector>.Tanh(z);
        return TSimd.Subtract(TSimd.Create(1f), TSimd.Multiply(y, y));
    }
}

/// <summary>1/(1 + e⁻ᶻ).</summary>
internal readonly struct SigmoidActivation : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Value<TSimd, TVector>(TVector z)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => VectorMath<TSimd, TVector>.Sigmoid(z);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Derivative<TSimd, TVector>(TVector z)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        var y = VectorMath<TSimd, TVector>.Sigmoid(z);
        return TSimd.Multiply(y, TSimd.Subtract(TSimd.Create(1f), y));
    }
}

/// <summary>z·sigmoid(1.702·z) of z up to 7.</summary>
internal readonly struct ClampedSwishActivation : IActivation
{
    private const float Most = 7f;
    private const float Steepness = 1.702f;

    // The constants stand first, so that NaN passes through.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Value<TSimd, TVector>(TVector z)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        z = TSimd.Min(TSimd.Create(Most), z);
        return TSimd.Multiply(z, VectorMath<TSimd, TVector>.Sigmoid(TSimd.Multiply(TSimd.Create(Steepness), z)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Derivative<TSimd, TVector>(TVector z)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        var steep = TSimd.Multiply(TSimd.Create(Steepness), TSimd.Min(TSimd.Create(Most), z));
        var s = VectorMath<TSimd, TVector>.Sigmoid(steep);
        var slope = TSimd.MultiplyAdd(TSimd.Multiply(s, TSimd.Subtract(TSimd.Create(1f), s)), steep, s);
        return TSimd.SelectLess(TSimd.Create(Most), z, default, slope);
    }
}

/// <summary>z between −7 and 7, plus 1.</summary>
internal readonly struct ClampedIncrementActivation : IActivation
{
    private const float Most = 7f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Value<TSimd, TVector>(TVector z)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct =>
        TSimd.Add(TSimd.Create(1f), TSimd.Max(TSimd.Create(-Most), TSimd.Min(TSimd.Create(Most), z)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Derivative<TSimd, TVector>(TVector z)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct =>
        TSimd.SelectLess(TSimd.Create(Most), TSimd.Abs(z), default, TSimd.Create(1f));
}
