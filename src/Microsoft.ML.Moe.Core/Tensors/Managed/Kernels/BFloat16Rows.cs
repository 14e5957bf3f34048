using System.Runtime.CompilerServices;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>Rows of bfloat16 as they lie in a matrix.</summary>
internal readonly unsafe struct BFloat16Rows : IPanel
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load<TSimd, TVector, TVectors>(float* source, out TVector first, out TVector second)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TVectors : struct, IConstant => TSimd.WidenBFloat16((ushort*)source, out first, out second);
}
