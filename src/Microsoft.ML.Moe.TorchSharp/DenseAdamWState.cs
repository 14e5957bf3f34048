using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>A parameter that changes in all of its values at each step. All of a group's are updated together.</summary>
internal sealed class DenseAdamWState(string name, TorchTensor tensor, ParameterGroup group) : AdamWState(name, tensor, group)
{
    private torch.Tensor? _values;

    /// <summary>The parameter's own memory, flat. Belongs to this.</summary>
    public torch.Tensor Values => _values ??= Tensor.Value.detach().reshape(Tensor.Length).DetachFromDisposeScope();

    /// <summary>Whether there is anything to update.</summary>
    public bool TakesSteps => Tensor.RequiresGradient && Tensor.Length > 0;

    /// <summary>Steps taken; a frozen parameter takes none.</summary>
    public int StepsTaken { get; set; }

    /// <summary>The gradient, flat; null where no backward pass has left one.</summary>
    public torch.Tensor? Gradient => Tensor.Value.grad?.reshape(Tensor.Length);

    protected override int[] Steps
    {
        get => [StepsTaken];
        set => StepsTaken = value[0];
    }

    public override void Dispose()
    {
        base.Dispose();
        _values?.Dispose();
    }
}
