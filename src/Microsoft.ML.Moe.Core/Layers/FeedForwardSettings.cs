using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>
/// Form of a feed-forward network, dense or of each expert: <c>activation(x·W1 + b1)·W2 + b2</c>, or with a gate
/// <c>(activation(x·W1 + b1) ∘ gateActivation(x·gate + bGate))·W2 + b2</c> (Shazeer 2020, "GLU variants improve transformer"; SwiGLU with SiLU, GEGLU with GELU).
/// </summary>
/// <param name="Activation">Between the two products.</param>
/// <param name="HasGate">Whether there is a gate.</param>
/// <param name="HasBias">Whether there are b1 and b2.</param>
internal sealed record FeedForwardSettings(Activation Activation = Activation.GeluTanh, bool HasGate = false, bool HasBias = true)
{
    /// <summary>Whether the gate has a bias.</summary>
    public bool HasGateBias { get; init; }

    /// <summary>Of the gate's products.</summary>
    public Activation GateActivation { get; init; }

    /// <summary>Whether there is b2, where it is not as with b1.</summary>
    public bool? HasSecondBias { get; init; }

    /// <summary>Whether there is b2.</summary>
    public bool AddsSecondBias => HasSecondBias ?? HasBias;
}
