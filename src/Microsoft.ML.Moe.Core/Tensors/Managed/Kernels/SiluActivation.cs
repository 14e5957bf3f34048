using System.Runtime.CompilerServices;

namespace Microsoft.ML.Moe.Tensors.Managed;

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
