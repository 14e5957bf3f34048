using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>A router of each kind.</summary>
internal static class Routers
{
    /// <summary>One expert for each token on average, weights as they are.</summary>
    public static Router Of(RouterKind kind) => kind switch
    {
        RouterKind.TokenChoice => Router.TokenChoice(1, normalizeWeights: false),
        RouterKind.ExpertChoice => Router.ExpertChoice(1),
        _ => Router.Unified(1),
    };

    /// <summary>The router of a kind as it is when nothing is said of it.</summary>
    public static Router Default(RouterKind kind) => kind switch
    {
        RouterKind.TokenChoice => Router.TokenChoice(),
        RouterKind.ExpertChoice => Router.ExpertChoice(),
        _ => Router.Unified(),
    };
}
