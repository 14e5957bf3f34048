using Microsoft.ML.Moe.Routing;

namespace TextClassification;

/// <summary>Routers that are worth a comparison with the one that a model was trained with.</summary>
internal static class OtherRouters
{
    /// <summary>The model's own first, then others at the same cost, and cheaper ones.</summary>
    public static IReadOnlyList<RouterSettings> Of(RouterSettings own)
    {
        var k = own.ExpertsPerToken;
        RouterSettings[] routers =
        [
            own,
            new(RouterKind.TokenChoice, 1),
            new(RouterKind.ExpertChoice, k, own.Alpha),
            new(RouterKind.Unified, k, own.Alpha),
            new(RouterKind.Unified, 0.75 * k, own.Alpha),
            new(RouterKind.Unified, 0.5 * k, own.Alpha),
        ];
        return [.. routers.Distinct()];
    }
}
