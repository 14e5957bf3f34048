namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// Stacked weights of E expert feed-forward networks, each D → F → D:
/// <c>activation(x·W1 + b1)·W2 + b2</c>, or with a gate <c>(activation(x·W1 + b1) ∘ gateActivation(x·Gate + bGate))·W2 + b2</c> (SwiGLU and
/// kin).
/// </summary>
/// <param name="W1">[E, D, F].</param>
/// <param name="B1">[E, F], or null for none.</param>
/// <param name="W2">[E, F, D].</param>
/// <param name="B2">[E, D], or null for none. Weighted like the rest of the expert's output.</param>
/// <param name="Activation">Between the two products.</param>
/// <param name="Gate">[E, D, F], or null for the plain form.</param>
/// <param name="GateBias">[E, F], or null for none.</param>
/// <param name="GateActivation">Of the gate; none by default.</param>
public sealed record Experts(
    Tensor W1,
    Tensor? B1,
    Tensor W2,
    Tensor? B2,
    Activation Activation,
    Tensor? Gate = null,
    Tensor? GateBias = null,
    Activation GateActivation = Activation.None)
{
    /// <summary>Number of experts, E.</summary>
    public int Count => W1.Shape[0];

    /// <summary>Model width, D.</summary>
    public int Width => W1.Shape[1];

    /// <summary>Expert width, F.</summary>
    public int HiddenWidth => W1.Shape[2];
}
