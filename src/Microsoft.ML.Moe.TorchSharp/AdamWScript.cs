using System.Runtime.InteropServices;
using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>
/// Clipping and AdamW over lists of tensors: libtorch works through a whole list with a few launches, however many tensors are in it.
/// TorchSharp has no methods for these operations (<see cref="TorchScript"/>). All tensors are flat and hold something.
/// </summary>
internal sealed class AdamWScript
{
    private const string Clipping = """
        def norm(gradients: List[Tensor]) -> Tensor:
            return torch.stack(torch._foreach_norm(gradients)).norm()

        def clip(gradients: List[Tensor], largest: float) -> Tensor:
            found = norm(gradients)
            torch._foreach_mul_(gradients, torch.clamp(largest / found, max=1.0))
            return found

        """;

    private const string Arguments = """
        def step(values: List[Tensor], gradients: List[Tensor], first: List[Tensor], second: List[Tensor], number: float,
                 rate: float, decay: float, beta1: float, beta2: float, epsilon: float) -> Tensor:

        """;

    // One pass over the memory. The numbers of steps lie on the device, where they are made; all parameters here have taken the same.
    private const string InOnePass = """
            steps = values[0].new_full([], number)
            torch._fused_adamw_(values, gradients, first, second, [], [steps] * len(values), lr=rate, beta1=beta1, beta2=beta2,
                                weight_decay=decay, eps=epsilon, amsgrad=False, maximize=False)
            return steps

        """;

    // m = β₁·m + (1 − β₁)·g, v = β₂·v + (1 − β₂)·g², w = (1 − η·λ)·w − η·m̂/(√v̂ + ε)
    private const string InSeveralPasses = """
            torch._foreach_mul_(first, beta1)
            torch._foreach_add_(first, gradients, alpha=1.0 - beta1)
            torch._foreach_mul_(second, beta2)
            torch._foreach_addcmul_(second, gradients, gradients, 1.0 - beta2)
            denominators = torch._foreach_sqrt(second)
            torch._foreach_mul_(denominators, (1.0 - beta2 ** number) ** -0.5)
            torch._foreach_add_(denominators, epsilon)
            torch._foreach_mul_(values, 1.0 - rate * decay)
            torch._foreach_addcdiv_(values, first, denominators, -rate / (1.0 - beta1 ** number))
            return values[0]

        """;

    private static readonly Lazy<AdamWScript?> TryOnePass = new(() => TryCompile(Clipping + Arguments + InOnePass));
    private static readonly Lazy<AdamWScript> SeveralPasses = new(() => new AdamWScript(Clipping + Arguments + InSeveralPasses));
    private readonly TorchScript _script;

    private AdamWScript(string text) => _script = new TorchScript(text);

    /// <summary>The script that runs wherever lists do. Takes memory for the roots of the second moments.</summary>
    public static AdamWScript OfSeveralPasses => SeveralPasses.Value;

    /// <summary>The fastest script that runs on a device: libtorch has AdamW in one pass on CUDA, and since 2.4 on the processor.</summary>
    public static AdamWScript For(torch.Device device) =>
        TryOnePass.Value is { } onePass && onePass.RunsOn(device) ? onePass : OfSeveralPasses;

    /// <summary>Scales gradients so that their joint norm is at most <paramref name="largest"/>; infinity only measures.</summary>
    /// <returns>The norm before, on the device.</returns>
    public torch.Tensor Clip(torch.Tensor[] gradients, float largest) =>
        float.IsPositiveInfinity(largest) ? _script.Call("norm", [gradients]) : _script.Call("clip", gradients, (Scalar)largest);

    /// <summary>A step of parameters that share settings.</summary>
    /// <param name="values">The parameters.</param>
    /// <param name="gradients">Their gradients.</param>
    /// <param name="first">First moments.</param>
    /// <param name="second">Second moments.</param>
    /// <param name="number">Number of the step, from 1.</param>
    /// <param name="settings">The settings.</param>
    /// <param name="learningRateFactor">The schedule's factor.</param>
    public void Step(
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
        _script.Call("step", [values, gradients, first, second, .. numbers.Select(number => (Scalar)number)]).Dispose();
    }

    private static AdamWScript? TryCompile(string text)
    {
        try
        {
            return new AdamWScript(text);
        }
        catch (ExternalException)
        {
            return null;
        }
    }

    private bool RunsOn(torch.Device device)
    {
        using var scope = torch.NewDisposeScope();
        torch.Tensor[] One() => [torch.ones([1], device: device)];
        try
        {
            Step(One(), One(), One(), One(), 1, new ParameterGroup([], LearningRate: 0f), 1f);
            return true;
        }
        catch (ExternalException error) when (!OutOfMemory.Is(error))
        {
            return false;
        }
    }
}
