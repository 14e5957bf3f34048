namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>The stacked weights of <see cref="Experts"/> on this engine.</summary>
internal readonly record struct ExpertTensors(
    ManagedTensor W1,
    ManagedTensor? B1,
    ManagedTensor W2,
    ManagedTensor? B2,
    Activation Activation,
    ManagedTensor? Gate = null,
    ManagedTensor? GateBias = null,
    Activation GateActivation = Activation.None)
{
    /// <summary>E.</summary>
    public int Count => W1.Shape[0];

    /// <summary>D.</summary>
    public int Width => W1.Shape[1];

    /// <summary>F.</summary>
    public int HiddenWidth => W1.Shape[2];

    /// <summary>Whether any of the weights requires a gradient.</summary>
    public bool RequiresGradient => HiddenRequiresGradient || W2.RequiresGradient || B2 is { RequiresGradient: true };

    /// <summary>Whether any of the weights before the second product requires a gradient.</summary>
    public bool HiddenRequiresGradient =>
        W1.RequiresGradient || B1 is { RequiresGradient: true } || Gate is { RequiresGradient: true }
        || GateBias is { RequiresGradient: true };
}
