using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Experiments.Studies.LanguageModels;

/// <summary>A language model that is compared with its twins: the same work for each token, but for the router.</summary>
/// <param name="Name">Name in logs and tables.</param>
/// <param name="Config">The architecture.</param>
internal sealed record LanguageModelArm(string Name, LanguageModelConfig Config)
{
    private static readonly LanguageModelConfig Mixture = new() { Width = 64, Layers = 2, Heads = 4, Experts = 8, ExpertWidth = 128 };

    /// <summary>What the others are compared with.</summary>
    public static LanguageModelArm TokenChoice { get; } = new("Token Choice, normalised", Mixture);

    /// <summary>All, in the order of the table.</summary>
    public static IReadOnlyList<LanguageModelArm> All { get; } =
    [
        new("dense", Mixture.ToDense()),
        TokenChoice,
        new("Token Choice, raw", Mixture with { Router = Router.TokenChoice(2, normalizeWeights: false) }),
        new("Expert Choice, time step", Mixture with
        {
            Router = Router.ExpertChoice(2, RoutingScope.TimeStep),
            LoadBalancingCoefficient = 0f,
        }),
        new("Unified, time step", Mixture with { Router = Router.Unified(2, scope: RoutingScope.TimeStep) }),
        new("Unified, prefix", Mixture with { Router = Router.Unified(2, scope: RoutingScope.Prefix) }),
        new("Unified, prefix, normalised", Mixture with
        {
            Router = Router.Unified(2, scope: RoutingScope.Prefix, normalization: WeightNormalization.Selected),
        }),
    ];
}
