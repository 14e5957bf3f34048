namespace Microsoft.ML.Moe.Onnx.Graph;

/// <summary>A named value of a graph: an input, a constant, or what a node gives.</summary>
/// <param name="Name">Its name.</param>
internal readonly record struct Value(string Name);
