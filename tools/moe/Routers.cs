using Microsoft.ML.Moe.Routing;

namespace MoeTool;

/// <summary>Makes routers of what users say.</summary>
internal static class Routers
{
    private const double UsualExpertsPerToken = 2;

    /// <summary>A router with the defaults of its kind.</summary>
    /// <param name="kind">Which.</param>
    /// <param name="expertsPerToken">Experts for each token; null takes the usual two.</param>
    /// <exception cref="ArgumentException">The number of experts is impossible.</exception>
    public static Router Create(RouterKind kind, double? expertsPerToken = null)
    {
        var k = expertsPerToken ?? UsualExpertsPerToken;
        return kind switch
        {
            RouterKind.ExpertChoice => Router.ExpertChoice(k),
            RouterKind.Unified => Router.Unified(k),
            RouterKind.Soft when expertsPerToken is null => Router.Soft(),
            RouterKind.Soft => throw new ArgumentException("Soft routing has no experts per token: every expert gets its slots of all tokens."),
            _ when k >= 1 && k == (int)k => Router.TokenChoice((int)k),
            _ => Router.TokenChoice() with { ExpertsPerToken = k },
        };
    }

    /// <summary>A router of which one or both of the two is another.</summary>
    public static Router Changed(Router router, RouterKind? kind, double? expertsPerToken) =>
        kind is null || kind == router.Kind
            ? router with { ExpertsPerToken = expertsPerToken ?? router.ExpertsPerToken }
            : Create(kind.Value, kind == RouterKind.Soft ? expertsPerToken : expertsPerToken ?? router.ExpertsPerToken);

    /// <summary>Routers worth a comparison: the model's own first, then others at the same cost, and cheaper ones.</summary>
    public static IReadOnlyList<Router> WorthComparing(Router own)
    {
        var k = own.ExpertsPerToken;
        Router[] routers =
        [
            own,
            Router.TokenChoice(1),
            Router.ExpertChoice(k),
            Router.Unified(k, own.Alpha),
            Router.Unified(0.75 * k, own.Alpha),
            Router.Unified(0.5 * k, own.Alpha),
        ];
        return [.. routers.Distinct()];
    }
}
