using System.Runtime.CompilerServices;

namespace Microsoft.ML.Moe.Tensors.Managed;

internal sealed unsafe partial class Kernels<TSimd, TVector>
{
    public override void Activate(Activation activation, float* z, float* y, int n)
    {
        switch (activation)
        {
            case Activation.Relu:
                Activate<ReluActivation>(z, y, n);
                break;
            case Activation.GeluTanh:
                Activate<GeluTanhActivation>(z, y, n);
                break;
            case Activation.GeluErf:
                Activate<GeluErfActivation>(z, y, n);
                break;
            case Activation.Silu:
                Activate<SiluActivation>(z, y, n);
                break;
            case Activation.Tanh:
                Activate<TanhActivation>(z, y, n);
                break;
            case Activation.Sigmoid:
                Activate<SigmoidActivation>(z, y, n);
                break;
            case Activation.ClampedSwish:
                Activate<ClampedSwishActivation>(z, y, n);
                break;
            case Activation.ClampedIncrement:
                Activate<ClampedIncrementActivation>(z, y, n);
                break;
            default:
                new Span<float>(z, n).CopyTo(new Span<float>(y, n));
                break;
        }
    }

    public override void AddBiasAndActivate(Activation activation, float* z, float* bias, float* y, nint stride, int rows, int n)
    {
        switch (activation)
        {
            case Activation.Relu:
                AddBiasAndActivate<ReluActivation>(z, bias, y, stride, rows, n);
                break;
            case Activation.GeluTanh:
                AddBiasAndActivate<GeluTanhActivation>(z, bias, y, stride, rows, n);
                break;
            case Activation.GeluErf:
                AddBiasAndActivate<GeluErfActivation>(z, bias, y, stride, rows, n);
                break;
            case Activation.Silu:
                AddBiasAndActivate<SiluActivation>(z, bias, y, stride, rows, n);
                break;
            case Activation.Tanh:
                AddBiasAndActivate<TanhActivation>(z, bias, y, stride, rows, n);
                break;
            case Activation.Sigmoid:
                AddBiasAndActivate<SigmoidActivation>(z, bias, y, stride, rows, n);
                break;
            case Activation.ClampedSwish:
                AddBiasAndActivate<ClampedSwishActivation>(z, bias, y, stride, rows, n);
                break;
            case Activation.ClampedIncrement:
                AddBiasAndActivate<ClampedIncrementActivation>(z, bias, y, stride, rows, n);
                break;
            default:
                AddBiasAndActivate<IdentityActivation>(z, bias, y, stride, rows, n);
                break;
        }
    }

    public override void ActivateBackward(Activation activation, float* z, float* dY, float* dZ, int n)
    {
        switch (activation)
        {
            case Activation.Relu:
                ActivateBackward<ReluActivation>(z, dY, dZ, n);
                break;
            case Activation.GeluTanh:
                ActivateBackward<GeluTanhActivation>(z, dY, dZ, n);
                break;
            case Activation.GeluErf:
                ActivateBackward<GeluErfActivation>(z, dY, dZ, n);
                break;
            case Activation.Silu:
                ActivateBackward<SiluActivation>(z, dY, dZ, n);
                break;
            case Activation.Tanh:
                ActivateBackward<TanhActivation>(z, dY, dZ, n);
                break;
            case Activation.Sigmoid:
                ActivateBackward<SigmoidActivation>(z, dY, dZ, n);
                break;
            case Activation.ClampedSwish:
                ActivateBackward<ClampedSwishActivation>(z, dY, dZ, n);
                break;
            case Activation.ClampedIncrement:
                ActivateBackward<ClampedIncrementActivation>(z, dY, dZ, n);
                break;
            default:
                new Span<float>(dY, n).CopyTo(new Span<float>(dZ, n));
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Activate<TActivation>(float* z, float* y, int n)
        where TActivation : struct, IActivation
    {
        var i = 0;
        for (; i <= n - TSimd.Count; i += TSimd.Count)
            TSimd.Store(TActivation.Value<TSimd, TVector>(TSimd.Load(z + i)), y + i);
        if (i < n)
            TSimd.StoreFirst(TActivation.Value<TSimd, TVector>(TSimd.LoadFirst(z + i, n - i)), y + i, n - i);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddBiasAndActivate<TActivation>(float* z, float* bias, float* y, nint stride, int rows, int n)
        where TActivation : struct, IActivation
    {
        for (var row = 0; row < rows; row++, z += stride, y += stride)
        {
            var i = 0;
            for (; i <= n - TSimd.Count; i += TSimd.Count)
            {
                var sum = TSimd.Load(z + i);
                if (bias != null)
                    sum = TSimd.Add(sum, TSimd.Load(bias + i));
                if (y != z)
                    TSimd.Store(sum, z + i);
                TSimd.Store(TActivation.Value<TSimd, TVector>(sum), y + i);
            }

            if (i == n)
                continue;
            var rest = TSimd.LoadFirst(z + i, n - i);
            if (bias != null)
                rest = TSimd.Add(rest, TSimd.LoadFirst(bias + i, n - i));
            if (y != z)
                TSimd.StoreFirst(rest, z + i, n - i);
            TSimd.StoreFirst(TActivation.Value<TSimd, TVector>(rest), y + i, n - i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ActivateBackward<TActivation>(float* z, float* dY, float* dZ, int n)
        where TActivation : struct, IActivation
    {
        var i = 0;
        for (; i <= n - TSimd.Count; i += TSimd.Count)
        {
            var slope = TActivation.Derivative<TSimd, TVector>(TSimd.Load(z + i));
            TSimd.Store(TSimd.Multiply(slope, TSimd.Load(dY + i)), dZ + i);
        }

        if (i == n)
            return;
        var rest = TActivation.Derivative<TSimd, TVector>(TSimd.LoadFirst(z + i, n - i));
        TSimd.StoreFirst(TSimd.Multiply(rest, TSimd.LoadFirst(dY + i, n - i)), dZ + i, n - i);
    }
}
