using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Layers;

/// <summary>
/// Form of a feed-forward network, dense or of each expert: <c>activation(x·W1 + b1)·W2 + b2</c>, or with a gate
/// <c>(activation(x·W1 + b1) ∘ (x·gate))·W2 + b2</c> (Shazeer 2020, "GLU variants improve transformer"; SwiGLU with SiLU, GEGLU with GELU).
/// </summary>
/// <param name="Activation">Between the two products.</param>
/// <param name="HasGate">Whether there is a gate, which has no bias.</param>
/// <param name="HasBias">Whether there are b1 and b2.</param>
internal sealed record FeedForwardSettings(Activation Activation = Activation.GeluTanh, bool HasGate = false, bool HasBias = true);
