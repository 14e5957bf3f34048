using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Benchmarks.Cases;

/// <summary>A layer's router logits, and the policies that are compared on them.</summary>
/// <param name="shape">Sizes of the layer.</param>
/// <param name="logitsTE">[T, E], row-major.</param>
internal sealed class RouterLogits(MoeShape shape, float[] logitsTE)
{
    private const int Halvings = 24;

    public ReadOnlySpan<float> Values => logitsTE;

    /// <summary>The plan that a policy makes of these logits.</summary>
    public RoutingPlan Plan(RoutingPolicy policy, SequenceLayout layout, bool training) =>
        policy.Route(logitsTE, shape.Experts, layout, training);

    /// <summary>The entropy that a share of the tokens reaches.</summary>
    public double EntropyThreshold(double share)
    {
        var entropies = Enumerable.Range(0, shape.Tokens)
            .Select(t => RouterEntropy.Of(logitsTE.AsSpan(t * shape.Experts, shape.Experts)))
            .OrderDescending()
            .ToArray();
        var count = (int)Math.Round(share * shape.Tokens);
        return count == 0 ? double.PositiveInfinity : entropies[count - 1];
    }

    /// <summary>Unified with a workspace for a share of the tokens, and with as many pairs as Token Choice.</summary>
    /// <remarks>Broadcast tokens take more pairs, so the others get fewer, until the total is Token Choice's.</remarks>
    public GlobalWorkspace WorkspaceWithEqualPairs(double uncertainShare, SequenceLayout layout)
    {
        var threshold = EntropyThreshold(uncertainShare);
        var wanted = shape.Tokens * shape.ExpertsPerToken;
        double low = 0.01, high = shape.ExpertsPerToken;
        for (var i = 0; i < Halvings; i++)
        {
            var middle = (low + high) / 2;
            if (Plan(new GlobalWorkspace(new Unified(middle), threshold), layout, training: true).Pairs > wanted)
                high = middle;
            else
                low = middle;
        }

        return new GlobalWorkspace(new Unified(low), threshold);
    }
}
