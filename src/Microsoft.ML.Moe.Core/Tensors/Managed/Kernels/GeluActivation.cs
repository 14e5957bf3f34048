using System.Runtime.CompilerServices;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>z/2·(1 + tanh u) = z·sigmoid(2u) with u = √(2/π)(z + 0.044715·z³).</summary>
internal readonly struct GeluActivation : IActivation
{
    private const float TwiceRoot = 1.5957691216f;
    private const float Cubic = 0.044715f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Value<TSimd, TVector>(TVector z)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.Multiply(z, Gate<TSimd, TVector>(z, TSimd.Multiply(z, z)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Derivative<TSimd, TVector>(TVector z)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        var square = TSimd.Multiply(z, z);
        var s = Gate<TSimd, TVector>(z, square);
        var slope = TSimd.MultiplyAdd(square, TSimd.Create(3f * Cubic * TwiceRoot), TSimd.Create(TwiceRoot));
        var rest = TSimd.Multiply(TSimd.Multiply(s, TSimd.Subtract(TSimd.Create(1f), s)), z);
        return TSimd.MultiplyAdd(rest, slope, s);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Gate<TSimd, TVector>(TVector z, TVector square)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        var factor = TSimd.MultiplyAdd(square, TSimd.Create(Cubic * TwiceRoot), TSimd.Create(TwiceRoot));
        return VectorMath<TSimd, TVector>.Sigmoid(TSimd.Multiply(z, factor));
    }
}
