namespace Microsoft.ML.Moe.Onnx;

/// <summary>Which operators the mixtures of an exported model become.</summary>
public enum OnnxOperators
{
    /// <summary>
    /// ONNX's own alone: for each expert the tokens that chose it are gathered, go through its two products, and are added to theirs. Runs
    /// wherever ONNX of operator set 17 does, with every routing policy that an export knows.
    /// </summary>
    Portable,

    /// <summary>
    /// ONNX Runtime's operator <c>com.microsoft.MoE</c> for each mixture. Runs in ONNX Runtime 1.23 and later alone; about three times as
    /// fast on single tokens, no faster on batches. Only of Token Choice over softmax, without capacity, groups, skipping or shared choice
    /// biases, with experts of one activation and without a gate; of other mixtures the export is refused.
    /// </summary>
    Microsoft,
}
