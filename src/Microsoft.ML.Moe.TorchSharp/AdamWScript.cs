using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// Clipping and AdamW over lists of tensors: libtorch works through a whole list with a few launches, however many tensors are in it.
/// TorchSharp has no methods for these operations (<see cref="TorchScript"/>). All tensors are flat and hold something.
/// </summary>
internal static class AdamWScript
{
    private const string Clipping = """
        def norm(gradients: List[Tensor]) -> Tensor:
            return torch.stack(torch._foreach_norm(gradients)).norm()

        def clip(gradients: List[Tensor], largest: float, epsilon: float) -> Tensor:
            found = norm(gradients)
            torch._foreach_mul_(gradients, torch.clamp(largest / (found + epsilon), max=1.0))
            return found

        """;

    // One pass over the memory. The numbers of steps lie on the device, where they are made; all parameters here have taken the same.
    private const string Stepping = """
        def step(values: List[Tensor], gradients: List[Tensor], first: List[Tensor], second: List[Tensor], number: float,
                 rate: float, decay: float, beta1: float, beta2: float, epsilon: float) -> Tensor:
            steps = values[0].new_full([], number)
            torch._fused_adamw_(values, gradients, first, second, [], [steps] * len(values), lr=rate, beta1=beta1, beta2=beta2,
                                weight_decay=decay, eps=epsilon, amsgrad=False, maximize=False)
            return steps

        """;

    private static readonly Lazy<TorchScript> _script = new(() => new TorchScript(Clipping + Stepping));

    /// <summary>Scales gradients so that their joint norm is at most <paramref name="largest"/>; infinity only measures.</summary>
    /// <returns>The norm before, on the device.</returns>
    public static torch.Tensor Clip(torch.Tensor[] gradients, float largest) =>
        float.IsPositiveInfinity(largest)
            ? _script.Value.Call("norm", [gradients])
            : _script.Value.Call("clip", gradients, Scalars.Of(largest), Scalars.Of(Optimizer.ClippingEpsilon));

    /// <summary>A step of parameters that share settings.</summary>
    /// <param name="values">The parameters.</param>
    /// <param name="gradients">Their gradients.</param>
    /// <param name="first">First moments.</param>
    /// <param name="second">Second moments.</param>
    /// <param name="number">Number of the step, from 1.</param>
    /// <param name="settings">The settings.</param>
    /// <param name="learningRateFactor">The schedule's factor.</param>
    public static void Step(
        torch.Tensor[] values,
        torch.Tensor[] gradients,
        torch.Tensor[] first,
        torch.Tensor[] second,
        int number,
        ParameterGroup settings,
        float learningRateFactor)
    {
        float[] numbers =
        [
            number,
            settings.LearningRate * learningRateFactor,
            settings.WeightDecay,
            settings.Beta1,
            settings.Beta2,
            settings.Epsilon,
        ];
        Scalar[] held = [.. numbers.Select(number => (Scalar)number)];
        _script.Value.Call("step", [values, gradients, first, second, .. held]).Dispose();
        // libtorch reads them until then
        GC.KeepAlive(held);
    }
}
