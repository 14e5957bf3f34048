namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// Precision of matrix products when training with TorchSharp: of linear layers, attention and experts, forward and backward. Weights,
/// their gradients and the optimiser, the router (logits, softmax, weights, losses), normalisation, softmax and sums are in single
/// precision always, and so is everything when a model is scored, so that it predicts the same wherever it was trained
/// (Micikevicius et al. 2018, "Mixed Precision Training"; for the router Fedus et al. 2021, "Switch Transformers", section 2.4).
/// </summary>
public enum TrainingPrecision
{
    /// <summary><see cref="BFloat16"/> on GPUs that compute in it (NVIDIA's since Ampere); elsewhere <see cref="Full"/>.</summary>
    Automatic,

    /// <summary>Single precision throughout.</summary>
    Full,

    /// <summary>bfloat16: the range of single precision with 8 significant bits. Without such units slower than single precision.</summary>
    BFloat16,
}
