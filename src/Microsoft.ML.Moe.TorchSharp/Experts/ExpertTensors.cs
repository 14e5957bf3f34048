using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>The stacked weights of <see cref="Experts"/> on this engine.</summary>
internal sealed record ExpertTensors(
    TorchTensor W1,
    TorchTensor? B1,
    TorchTensor W2,
    TorchTensor? B2,
    Activation Activation,
    TorchTensor? Gate = null,
    TorchTensor? GateBias = null,
    Activation GateActivation = Activation.None)
{
    /// <summary>E.</summary>
    public int Count => W1.Shape[0];

    /// <summary>D.</summary>
    public int Width => W1.Shape[1];

    /// <summary>F.</summary>
    public int HiddenWidth => W1.Shape[2];

    /// <inheritdoc cref="TorchTensor.Touch"/>
    public void Touch(torch.Tensor endOfE)
    {
        foreach (var tensor in (ReadOnlySpan<TorchTensor?>)[W1, B1, W2, B2, Gate, GateBias])
            tensor?.Touch(endOfE);
    }

    /// <summary>(activation(x·W1 + b1) ∘ gateActivation(x·gate + bGate))·W2 + b2, each row with the weights of its expert.</summary>
    /// <param name="x">[…, D], of the type that the products are to have.</param>
    /// <param name="product">Rows times their experts' matrices, plus the bias if there is one: one way to run experts.</param>
    /// <returns>[…, D].</returns>
    public torch.Tensor Apply(torch.Tensor x, Func<torch.Tensor, ExpertStack, ExpertStack?, torch.Tensor> product)
    {
        var type = x.dtype;
        var hidden = product(x, new ExpertStack(W1, type), StackOf(B1)).Apply(Activation);
        if (Gate is not null)
            hidden = hidden.mul(product(x, new ExpertStack(Gate, type), StackOf(GateBias)).Apply(GateActivation));
        return product(hidden, new ExpertStack(W2, type), StackOf(B2));

        ExpertStack? StackOf(TorchTensor? tensor) => tensor is null ? null : new ExpertStack(tensor, type);
    }
}
