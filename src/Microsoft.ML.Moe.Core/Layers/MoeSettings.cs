using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Layers;

/// <summary>How a MoE layer routes and is kept in balance.</summary>
/// <param name="Experts">Number of experts, N.</param>
/// <param name="Policy">Chooses experts for tokens.</param>
/// <param name="LoadBalancingCoefficient">Of the load-balancing loss; 0 leaves it out.</param>
/// <param name="RouterZLossCoefficient">Of the router z-loss; 0 leaves it out.</param>
internal sealed record MoeSettings(int Experts, RoutingPolicy Policy, float LoadBalancingCoefficient, float RouterZLossCoefficient)
{
    /// <summary>Form of each expert.</summary>
    public FeedForwardSettings Expert { get; init; } = new();

    /// <summary>Whether a bias is added to the sum over the experts: one for all of them, not weighted by the router.</summary>
    public bool HasOutputBias { get; init; }
}
