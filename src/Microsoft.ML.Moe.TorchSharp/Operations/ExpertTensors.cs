using Microsoft.ML.Moe.Tensors.Managed;
using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>The stacked weights of <see cref="Experts"/> on this engine.</summary>
internal sealed record ExpertTensors(
    TorchTensor W1, TorchTensor? B1, TorchTensor W2, TorchTensor? B2, TorchTensor? Gate, Activation Activation)
{
    /// <summary>E.</summary>
    public int Count => W1.Shape[0];

    /// <summary>D.</summary>
    public int Width => W1.Shape[1];

    /// <summary>F.</summary>
    public int HiddenWidth => W1.Shape[2];

    /// <summary>All weights in a type.</summary>
    public (torch.Tensor W1EDF, torch.Tensor? B1EF, torch.Tensor W2EFD, torch.Tensor? B2ED, torch.Tensor? GateEDF) ValuesAs(
        torch.ScalarType type) =>
        (W1.ValueAs(type), B1?.ValueAs(type), W2.ValueAs(type), B2?.ValueAs(type), Gate?.ValueAs(type));

    /// <summary>Checks all shapes against each other.</summary>
    public void CheckShapes()
    {
        Check.Rank(W1, 3);
        Check.Shape(W2, [Count, HiddenWidth, Width]);
        if (B1 is not null)
            Check.Shape(B1, [Count, HiddenWidth]);
        if (B2 is not null)
            Check.Shape(B2, [Count, Width]);
        if (Gate is not null)
            Check.Shape(Gate, [Count, Width, HiddenWidth]);
    }
}
