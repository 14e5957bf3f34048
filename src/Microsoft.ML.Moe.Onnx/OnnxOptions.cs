namespace Microsoft.ML.Moe.Onnx;

/// <summary>How a model is written as ONNX.</summary>
public sealed class OnnxOptions
{
    /// <summary>Which operators mixtures of experts become. Default <see cref="OnnxOperators.Portable"/>.</summary>
    public OnnxOperators Operators { get; set; }

    /// <summary>
    /// Whether weights are written to a file beside the model's, whose name has <c>.data</c> added, and which has to lie beside it wherever
    /// it is loaded. null, the default: where they take more than one file can hold, 2 GB; false is refused then. Each of the two files is
    /// replaced as a whole, the weights first.
    /// </summary>
    public bool? ExternalData { get; set; }

    /// <summary>
    /// What becomes of the linear branch that a text classifier may have beside its network. Default <see
    /// cref="OnnxLinearBranch.Refused"/>.
    /// </summary>
    public OnnxLinearBranch LinearBranch { get; set; }
}

/// <summary>
/// What becomes of a text classifier's linear branch. It reads words and hashed n-grams of the text, for which ONNX has no operator.
/// </summary>
public enum OnnxLinearBranch
{
    /// <summary>A model that has one is not written, so that nobody takes other scores for the model's.</summary>
    Refused,

    /// <summary>
    /// It is in the graph, which reads its features as <c>linear_rows</c> and <c>linear_values</c>; C# computes them, as
    /// <see cref="MoeOnnxExtensions.EncodeForOnnx"/> does. The scores are the model's.
    /// </summary>
    AsInput,

    /// <summary>It is left out: the scores are the network's own, which are others than the model's.</summary>
    LeftOut,
}
