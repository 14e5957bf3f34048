using System.Runtime.CompilerServices;

namespace Microsoft.ML.Moe.Tensors.Managed;

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
