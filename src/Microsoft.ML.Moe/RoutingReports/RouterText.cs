using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.RoutingReports;

/// <summary>A router in a few words.</summary>
internal static class RouterText
{
    /// <summary><c>Unified, 1.5 experts per token, α 0.5</c>.</summary>
    public static string Of(RouterSettings router)
    {
        var experts = router.ExpertsPerToken == 1 ? "expert" : "experts";
        var parts = new List<string> { $"{router.Kind}", $"{DisplayText.Short(router.ExpertsPerToken)} {experts} per token" };
        if (router.Kind == RouterKind.Unified)
            parts.Add($"α {DisplayText.Short(router.Alpha)}");
        if (router.Kind != RouterKind.TokenChoice && router.Scope != RoutingScope.Sequence)
            parts.Add($"within {router.Scope}");
        if (router.CapacityFactor is { } factor)
            parts.Add($"capacity factor {DisplayText.Short(factor)}");
        if (router.NormalizeWeights)
            parts.Add("weights normalised");
        return string.Join(", ", parts);
    }
}
