namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// Precision of a model's weight matrices in matrix products when it scores on the managed engine: of linear layers and experts. Sums
/// and everything else, routers, embeddings, biases, normalisation and softmax among them, are in single precision always. The TorchSharp
/// engine scores in single precision whatever is chosen.
/// </summary>
public enum InferencePrecision
{
    /// <summary>Single precision: a model predicts the same wherever it was trained, and wherever it scores.</summary>
    Full,

    /// <summary>
    /// Weights rounded to the nearest bfloat16, 8 significant bits, and multiplied in single precision. Half the memory to read:
    /// 0.7–0.9 of the time where few rows at a time meet more weights than the caches hold; otherwise no faster.
    /// </summary>
    BFloat16,
}
