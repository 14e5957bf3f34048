namespace Microsoft.ML.Moe.Onnx;

/// <summary>How a model is written as ONNX.</summary>
public sealed class OnnxOptions
{
    /// <summary>Which operators mixtures of experts become. Default <see cref="OnnxOperators.Portable"/>.</summary>
    public OnnxOperators Operators { get; set; }

    /// <summary>
    /// Whether weights are written to a file beside the model's, whose name has <c>.data</c> added, and which has to lie beside it wherever it is
    /// loaded. null, the default: where they take more than one file can hold, 2 GB.
    /// </summary>
    public bool? ExternalData { get; set; }

    /// <summary>
    /// Whether a text classifier that has a linear branch beside its network is written without the branch: the file then gives the network's own
    /// probabilities, which are others than the model's. The branch reads hashed n-grams of the text, for which ONNX has no operator, so that with
    /// false, the default, such a model is refused.
    /// </summary>
    public bool NetworkAlone { get; set; }
}
