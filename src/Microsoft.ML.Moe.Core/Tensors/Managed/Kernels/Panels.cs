using System.Runtime.CompilerServices;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>How a row of a second factor's panel is stored.</summary>
internal unsafe interface IPanel
{
    /// <summary>Loads a row: one or two vectors of neighbouring columns.</summary>
    /// <typeparam name="TSimd">The vector's operations.</typeparam>
    /// <typeparam name="TVector">The vector type.</typeparam>
    /// <typeparam name="TVectors">How many vectors.</typeparam>
    static abstract void Load<TSimd, TVector, TVectors>(float* source, out TVector first, out TVector second)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TVectors : struct, IConstant;
}

/// <summary>Rows of floats.</summary>
internal readonly unsafe struct SinglePanel : IPanel
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load<TSimd, TVector, TVectors>(float* source, out TVector first, out TVector second)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TVectors : struct, IConstant
    {
        first = TSimd.Load(source);
        second = TVectors.Value == 2 ? TSimd.Load(source + TSimd.Count) : default;
    }
}

/// <summary>Rows of bfloat16, as <see cref="Kernels.RoundPanel"/> makes them.</summary>
internal readonly unsafe struct BFloat16Panel : IPanel
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load<TSimd, TVector, TVectors>(float* source, out TVector first, out TVector second)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TVectors : struct, IConstant => TSimd.LoadBFloat16(source, out first, out second);
}
