using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Layers;

/// <summary>How a MoE layer routes and is kept in balance.</summary>
/// <param name="Experts">Number of experts, N.</param>
/// <param name="Policy">Chooses experts for tokens; null with Soft MoE, where nothing is chosen.</param>
/// <param name="LoadBalancingCoefficient">Of the load-balancing loss; 0 leaves it out.</param>
/// <param name="RouterZLossCoefficient">Of the router z-loss; 0 leaves it out.</param>
internal sealed record MoeSettings(int Experts, RoutingPolicy? Policy, float LoadBalancingCoefficient, float RouterZLossCoefficient)
{
    /// <summary>Form of each expert.</summary>
    public FeedForwardSettings Expert { get; init; } = new();

    /// <summary>Whether a bias is added to the sum over the experts: one for all of them, not weighted by the router.</summary>
    public bool HasOutputBias { get; init; }

    /// <summary>
    /// Hidden width of an expert that all tokens go to, beside the chosen ones: the shared expert of Dai et al. 2024, "DeepSeekMoE", section
    /// 3.2. Of the form of the others; 0 for none.
    /// </summary>
    public int SharedWidth { get; init; }

    /// <summary>Form of the shared expert; null for that of the others.</summary>
    public FeedForwardSettings? SharedForm { get; init; }

    /// <summary>Whether the shared expert has a gate: its output times sigmoid(x·g), one number for each token (Qwen1.5-MoE).</summary>
    public bool HasSharedGate { get; init; }

    /// <summary>Whether the router has a bias.</summary>
    public bool HasRouterBias { get; init; }

    /// <summary>
    /// Whether experts have a bias for the choice alone, not for the weights (DeepSeek-V3's e_score_correction_bias); it is not learned by
    /// gradients.
    /// </summary>
    public bool HasChoiceBias { get; init; }

    /// <summary>While training the router's input is multiplied by random numbers within 1 ± this; 0 for nothing.</summary>
    public float RouterJitter { get; init; }

    /// <summary>See <see cref="Router.Noise"/>.</summary>
    public float RouterNoise { get; init; }

    /// <summary>Slots of each expert with Soft MoE.</summary>
    public int SlotsPerExpert { get; init; } = 1;

    /// <summary>Of the importance loss; 0 leaves it out.</summary>
    public float ImportanceCoefficient { get; init; }

    /// <summary>Of the load loss; 0 leaves it out.</summary>
    public float LoadCoefficient { get; init; }

    /// <summary>Experts that a token is sent to, k, as the load loss counts them.</summary>
    public int ExpertsPerToken { get; init; } = 1;

    /// <summary>Factor of the sum over the chosen experts (DeepSeek-V2's routed_scaling_factor).</summary>
    public float RoutedScale { get; init; } = 1f;
}
