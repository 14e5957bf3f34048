using System.Runtime.CompilerServices;

namespace Microsoft.ML.Moe.Tensors.Managed;

internal sealed unsafe partial class Kernels<TSimd, TVector>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void AdamW(in AdamWStep step, float* value, float* gradient, float* moment1, float* moment2, int n)
    {
        var i = 0;
        for (; i <= n - TSimd.Count; i += TSimd.Count)
        {
            var m = TSimd.Load(moment1 + i);
            var v = TSimd.Load(moment2 + i);
            var w = TSimd.Load(value + i);
            AdamW(step, TSimd.Load(gradient + i), ref m, ref v, ref w);
            TSimd.Store(m, moment1 + i);
            TSimd.Store(v, moment2 + i);
            TSimd.Store(w, value + i);
        }

        if (i == n)
            return;
        var lastM = TSimd.LoadFirst(moment1 + i, n - i);
        var lastV = TSimd.LoadFirst(moment2 + i, n - i);
        var lastW = TSimd.LoadFirst(value + i, n - i);
        AdamW(step, TSimd.LoadFirst(gradient + i, n - i), ref lastM, ref lastV, ref lastW);
        TSimd.StoreFirst(lastM, moment1 + i, n - i);
        TSimd.StoreFirst(lastV, moment2 + i, n - i);
        TSimd.StoreFirst(lastW, value + i, n - i);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AdamW(in AdamWStep step, TVector gradient, ref TVector m, ref TVector v, ref TVector w)
    {
        var g = TSimd.Multiply(TSimd.Create(step.GradientFactor), gradient);
        m = TSimd.MultiplyAdd(TSimd.Create(step.Beta1), m, TSimd.Multiply(TSimd.Create(1f - step.Beta1), g));
        v = TSimd.MultiplyAdd(TSimd.Create(step.Beta2), v, TSimd.Multiply(TSimd.Create(1f - step.Beta2), TSimd.Multiply(g, g)));
        var root = TSimd.Sqrt(TSimd.Multiply(v, TSimd.Create(step.InverseCorrection2)));
        var change = TSimd.Divide(m, TSimd.Add(root, TSimd.Create(step.Epsilon)));
        w = TSimd.MultiplyAdd(TSimd.Create(-step.Rate), change, TSimd.Multiply(TSimd.Create(step.Keep), w));
    }
}
