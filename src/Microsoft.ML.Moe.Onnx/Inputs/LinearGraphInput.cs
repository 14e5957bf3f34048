using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Onnx.Graph;
using DataType = Microsoft.ML.Moe.Onnx.Format.TensorProto.Types.DataType;

namespace Microsoft.ML.Moe.Onnx.Inputs;

/// <summary>The linear branch of a text classifier, whose features are inputs of the graph.</summary>
internal static class LinearGraphInput
{
    /// <summary>Rows of the linear model's weights that a text's features are, [B, N].</summary>
    public const string Rows = "linear_rows";

    /// <summary>How much each counts, [B, N]; 0 for those that fill up.</summary>
    public const string Values = "linear_values";

    /// <summary>softmax(a·ln p + b·ln q) of the network's probabilities p and the linear model's q, [B, C].</summary>
    /// <param name="graph">Receives the inputs and the nodes.</param>
    /// <param name="branch">The branch.</param>
    /// <param name="probabilities">p, [B, C].</param>
    public static Value Combine(GraphBuilder graph, LinearBranch branch, Value probabilities)
    {
        var rows = graph.Input(Rows, DataType.Int64, "rows", "features");
        var values = graph.Input(Values, DataType.Float, "rows", "features");
        var (model, classes) = (branch.Model, branch.Model.Classes);
        var weights = graph.Constant("linear.weight", [RowsOf(model), classes], WeightsOf(model));
        var scores = graph.Sum(graph.Multiply(graph.Gather(weights, rows), graph.Unsqueeze(values, 2)), axis: 1, keeps: false);
        var logarithms = graph.Each("Log", graph.Larger(probabilities, graph.Number(LinearBranch.SmallestProbability)));
        return graph.Softmax(graph.Add(
            graph.Multiply(logarithms, graph.Number(branch.Weights.Encoder)),
            graph.Multiply(graph.Each("LogSoftmax", scores), graph.Number(branch.Weights.Linear))));
    }

    private static int RowsOf(LinearModel model) => model.Weights.Length / Gather.Stride(model.Classes);

    /// <summary>The weights without what fills rows up, [rows, C].</summary>
    private static IEnumerable<ReadOnlyMemory<float>> WeightsOf(LinearModel model)
    {
        var (rows, classes, stride) = (RowsOf(model), model.Classes, Gather.Stride(model.Classes));
        var part = new float[Math.Clamp(TensorParts.Most / classes, 1, Math.Max(1, rows)) * classes];
        for (var start = 0; start < rows; start += part.Length / classes)
        {
            var count = Math.Min(part.Length / classes, rows - start);
            for (var row = 0; row < count; row++)
                model.Weights.Slice((start + row) * stride, classes).CopyTo(part.AsSpan(row * classes));
            yield return part.AsMemory(0, count * classes);
        }
    }
}
