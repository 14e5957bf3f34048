using System.Runtime.CompilerServices;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Rows of bfloat16, as <see cref="Kernels.RoundPanel"/> makes them.</summary>
internal readonly unsafe struct BFloat16Panel : IPanel
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load<TSimd, TVector, TVectors>(float* source, out TVector first, out TVector second)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TVectors : struct, IConstant => TSimd.LoadBFloat16(source, out first, out second);
}
