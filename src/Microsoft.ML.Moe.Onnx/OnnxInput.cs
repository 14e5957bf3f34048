namespace Microsoft.ML.Moe.Onnx;

/// <summary>Numbers that an exported model reads of some rows.</summary>
public sealed class OnnxInput
{
    internal OnnxInput(string name, Array values, IReadOnlyList<int> shape) => (Name, Values, Shape) = (name, values, shape);

    /// <summary>Name of the graph's input.</summary>
    public string Name { get; }

    /// <summary>The numbers, row-major: <see cref="long"/>[], or <see cref="float"/>[] for <c>token_row_weights</c>.</summary>
    public Array Values { get; }

    /// <summary>Sizes of the dimensions, rows first.</summary>
    public IReadOnlyList<int> Shape { get; }
}
