using Microsoft.ML.Moe.Onnx.Graph;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Onnx.Routing;

/// <summary>The weights of pairs as nodes, [T, E], 0 where there is no pair; see <see cref="CombineRule"/>.</summary>
internal static class PairWeights
{
    public static Value Of(GraphBuilder graph, CombineRule rule, Value logitsTE, Value pairsTE, int experts)
    {
        var scoresTE = rule.Alpha > 0 ? Unified(graph, rule.Alpha, logitsTE, experts)
            : rule.Score == ScoreFunction.SparseMixer ? Mixed(graph, logitsTE, rule.Tolerance, experts)
            : Scores(graph, rule.Score, logitsTE);
        var chosenTE = graph.Multiply(scoresTE, pairsTE);
        if (rule.Normalization == WeightNormalization.None)
            return chosenTE;
        var sum = graph.Sum(rule.Normalization == WeightNormalization.All ? scoresTE : chosenTE, axis: 1);
        if (rule.SmallestSum > 0)
            return graph.Divide(chosenTE, graph.Larger(sum, graph.Number(rule.SmallestSum)));
        // a sum of 0 gives weights of 0
        var isZero = graph.Equal(sum, graph.Number(0f));
        return graph.Divide(chosenTE, graph.Where(isZero, graph.Number(1f), sum));
    }

    /// <summary>What a score function makes of logits; of SparseMixer the softmax, by which it chooses.</summary>
    public static Value Scores(GraphBuilder graph, ScoreFunction function, Value logitsTE) => function switch
    {
        ScoreFunction.Sigmoid => graph.Each("Sigmoid", logitsTE),
        ScoreFunction.Relu => graph.Each("Relu", logitsTE),
        _ => graph.Softmax(logitsTE),
    };

    /// <summary>alpha·Q + (1 − alpha)·P.</summary>
    public static Value Unified(GraphBuilder graph, float alpha, Value logitsTE, int experts) => graph.Add(
        graph.Multiply(graph.Each("Sigmoid", logitsTE), graph.Number(alpha * 2 / experts)),
        graph.Multiply(graph.Softmax(logitsTE), graph.Number(1 - alpha)));

    /// <summary>
    /// 1/Σ exp(lᵢ − l) over the experts i beside l: those that are not ahead of it, by logit or, where equal, by number, and not far below.
    /// </summary>
    private static Value Mixed(GraphBuilder graph, Value logitsTE, float tolerance, int experts)
    {
        var (own, other) = (graph.Unsqueeze(logitsTE, 2), graph.Unsqueeze(logitsTE, 1));
        var before = new float[experts * experts];
        for (var e = 0; e < experts; e++)
            before.AsSpan(e * experts, e).Fill(1f);
        var isBefore = graph.Greater(graph.Floats(before, 1, experts, experts), graph.Number(0f));
        var isEqualAndBefore = graph.And(graph.Equal(other, own), isBefore);
        var isFar = graph.Greater(
            graph.Divide(graph.Subtract(own, other), graph.Larger(graph.Each("Abs", other), own)), graph.Number(tolerance));
        var isBeside = graph.And(
            graph.And(graph.LessOrEqual(other, own), graph.Not(isEqualAndBefore)), graph.Not(isFar));
        var exponents = graph.Smaller(graph.Subtract(other, own), graph.Number(0f));
        var shares = graph.Where(isBeside, graph.Each("Exp", exponents), graph.Number(0f));
        return graph.Divide(graph.Number(1f), graph.Sum(shares, axis: 2, keeps: false));
    }
}
