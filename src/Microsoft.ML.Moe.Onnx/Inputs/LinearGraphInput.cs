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
        var stride = Gather.Stride(classes);
        var weights = graph.Constant("linear.weight", [model.Weights.Length / stride, classes], () =>
        {
            var table = new float[model.Weights.Length / stride * classes];
            for (var i = 0; i < table.Length; i++)
                table[i] = model.Weights[i / classes * stride + i % classes];
            return table;
        });
        var scores = graph.Sum(graph.Multiply(graph.Gather(weights, rows), graph.Unsqueeze(values, 2)), axis: 1, keeps: false);
        var logarithms = graph.Each("Log", graph.Larger(probabilities, graph.Number(LinearBranch.SmallestProbability)));
        return graph.Softmax(graph.Add(
            graph.Multiply(logarithms, graph.Number(branch.Weights.Encoder)),
            graph.Multiply(graph.Each("LogSoftmax", scores), graph.Number(branch.Weights.Linear))));
    }
}
