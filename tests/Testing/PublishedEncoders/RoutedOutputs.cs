using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>What routers give, by the names that goldens have for it.</summary>
internal sealed class RoutedOutputs : IRoutingObserver
{
    /// <summary>
    /// Of each block: <c>router_logits.B</c>, <c>router_probabilities.B</c>, [T, E]; <c>top_experts.B</c> and <c>top_weights.B</c>, [T, k], the
    /// experts of each token by descending weight, and where it has fewer than another, expert 0 with weight 0.
    /// </summary>
    public Dictionary<string, float[]> Values { get; } = [];

    /// <inheritdoc/>
    public void OnRouted(RoutedLayer layer)
    {
        Values[$"router_logits.{layer.Block}"] = layer.LogitsTE.ToArray();
        Values[$"router_probabilities.{layer.Block}"] = layer.Tape.Softmax(layer.LogitsTE).ToArray();
        var weights = layer.Tape.CombineWeights(layer.LogitsTE, layer.Plan).ToArray();
        var chosen = new List<(int Expert, float Weight)>[layer.Plan.Tokens];
        for (var token = 0; token < chosen.Length; token++)
            chosen[token] = [];
        var pair = 0;
        for (var expert = 0; expert < layer.Plan.Experts; expert++)
            foreach (var token in layer.Plan.TokensOf(expert))
                chosen[token].Add((expert, weights[pair++]));
        // a token that is padding may have none
        var k = chosen.Max(c => c.Count);
        var sorted = chosen.Select(c => c.OrderByDescending(e => e.Weight).Concat(Enumerable.Repeat((0, 0f), k - c.Count))).ToArray();
        Values[$"top_experts.{layer.Block}"] = [.. sorted.SelectMany(c => c.Select(e => (float)e.Item1))];
        Values[$"top_weights.{layer.Block}"] = [.. sorted.SelectMany(c => c.Select(e => e.Item2))];
    }
}
