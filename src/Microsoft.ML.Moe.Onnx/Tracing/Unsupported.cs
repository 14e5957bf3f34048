namespace Microsoft.ML.Moe.Onnx.Tracing;

/// <summary>Why a model cannot be exported, and what to do about it.</summary>
internal static class Unsupported
{
    /// <summary>A layer that decides in C# by numbers that the graph computes.</summary>
    public static NotSupportedException Numbers() =>
        Because("a layer of the model looks at numbers that are only known when the graph runs");

    /// <summary>An operation of training, or of models that write.</summary>
    public static NotSupportedException Operation(string operation) =>
        Because($"the operation {operation} is none of scoring rows", "Export a classifier, a regression or an embedder");

    /// <summary>Anything else.</summary>
    /// <param name="reason">What is in the way.</param>
    /// <param name="advice">What to do.</param>
    public static NotSupportedException Because(string reason, string advice = "Score with the model itself") =>
        new($"The model cannot be exported as ONNX: {reason}. {advice}.");
}
