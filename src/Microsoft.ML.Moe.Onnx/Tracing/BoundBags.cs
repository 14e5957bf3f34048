using Microsoft.ML.Moe.Onnx.Graph;

namespace Microsoft.ML.Moe.Onnx.Tracing;

/// <summary>Weighted sums of a table's rows that the input of a graph asks for.</summary>
internal abstract class BoundBags
{
    /// <summary>The sums, [N, D].</summary>
    /// <param name="graph">Receives the nodes.</param>
    /// <param name="table">[V, D].</param>
    public abstract Value SumOf(GraphBuilder graph, Value table);

    /// <summary>Bags of one row each.</summary>
    /// <param name="indices">[N] rows of the table.</param>
    public static BoundBags OfOne(Value indices) => new Single(indices);

    /// <summary>Bags of as many rows each.</summary>
    /// <param name="indices">[N, k] rows of the table.</param>
    /// <param name="weights">[N, k] their weights.</param>
    public static BoundBags OfSome(Value indices, Value weights) => new Some(indices, weights);

    /// <summary>Bags of any rows.</summary>
    /// <param name="weights">[N, V]: the weight of each row of the table, 0 for those that are not in the bag.</param>
    public static BoundBags OfAll(Value weights) => new All(weights);

    private sealed class Single(Value indices) : BoundBags
    {
        public override Value SumOf(GraphBuilder graph, Value table) => graph.Gather(table, indices);
    }

    private sealed class Some(Value indices, Value weights) : BoundBags
    {
        public override Value SumOf(GraphBuilder graph, Value table) =>
            graph.Sum(graph.Multiply(graph.Gather(table, indices), graph.Unsqueeze(weights, 2)), axis: 1, keeps: false);
    }

    private sealed class All(Value weights) : BoundBags
    {
        public override Value SumOf(GraphBuilder graph, Value table) => graph.MatMul(weights, table);
    }
}
