using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Microsoft.ML.Moe.Tensors.Managed;

namespace Microsoft.ML.Moe.Benchmarks.Measurement;

/// <summary>Multiply–adds between registers: no memory, enough independent chains to keep every unit busy.</summary>
internal static class PeakLoop
{
    private const int Chains = 12;

    /// <summary>Runs the loop with the widest registers.</summary>
    public static float Run(long iterations, out double flops)
    {
        if (Vector512.IsHardwareAccelerated)
            return Run<Simd512, Vector512<float>>(iterations, out flops);
        return Vector256.IsHardwareAccelerated
            ? Run<Simd256, Vector256<float>>(iterations, out flops)
            : Run<Simd128, Vector128<float>>(iterations, out flops);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Run<TSimd, TVector>(long iterations, out double flops)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        var x = TSimd.Create(0.999f);
        var y = TSimd.Create(0.001f);
        TVector a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y, i = y, j = y, k = y, l = y;
        for (var n = 0L; n < iterations; n++)
        {
            a = TSimd.MultiplyAdd(a, x, y);
            b = TSimd.MultiplyAdd(b, x, y);
            c = TSimd.MultiplyAdd(c, x, y);
            d = TSimd.MultiplyAdd(d, x, y);
            e = TSimd.MultiplyAdd(e, x, y);
            f = TSimd.MultiplyAdd(f, x, y);
            g = TSimd.MultiplyAdd(g, x, y);
            h = TSimd.MultiplyAdd(h, x, y);
            i = TSimd.MultiplyAdd(i, x, y);
            j = TSimd.MultiplyAdd(j, x, y);
            k = TSimd.MultiplyAdd(k, x, y);
            l = TSimd.MultiplyAdd(l, x, y);
        }

        flops = 2.0 * Chains * TSimd.Count * iterations;
        var sum = TSimd.Add(TSimd.Add(TSimd.Add(a, b), TSimd.Add(c, d)), TSimd.Add(TSimd.Add(e, f), TSimd.Add(g, h)));
        return TSimd.Sum(TSimd.Add(sum, TSimd.Add(TSimd.Add(i, j), TSimd.Add(k, l))));
    }
}
