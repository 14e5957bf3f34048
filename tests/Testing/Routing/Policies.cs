using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>Policies with the settings of a random batch; names tell kind and scope.</summary>
internal static class Policies
{
    /// <summary>Every policy, alone and over each other.</summary>
    public static IEnumerable<(string Name, RoutingPolicy Policy)> All(RandomBatch batch)
    {
        var threshold = 0.5 * Math.Log(batch.Experts);
        foreach (var (name, inner) in Plain(batch))
        {
            yield return (name, inner);
            var scope = GroupsOf(name);
            foreach (var priority in Enum.GetValues<CapacityPriority>())
                yield return ($"{name}, capacity by {priority}", ExpertCapacity.FromFactor(inner, 0.8, batch.Budget, scope, priority));
            yield return ($"{name}, capacity of 1", ExpertCapacity.FromTokens(inner, 1, scope));
            foreach (var tokens in Enum.GetValues<GlobalWorkspaceTokens>())
            {
                yield return ($"{name}, workspace, {tokens}", new GlobalWorkspace(inner, threshold, 2, tokens));
                yield return ($"{name}, random experts, {tokens}", new RandomExperts(inner, threshold, tokens));
            }
        }
    }

    /// <summary>Those that treat a token alike wherever in its sequence it stands.</summary>
    public static IEnumerable<(string Name, RoutingPolicy Policy)> WithoutRegardToPosition(RandomBatch batch)
    {
        var threshold = 0.9 * Math.Log(batch.Experts);
        foreach (var (name, inner) in Plain(batch).Where(p => ScopeOf(p.Name) is not (RoutingScope.TimeStep or RoutingScope.Prefix)))
        {
            yield return (name, inner);
            yield return ($"{name}, capacity", ExpertCapacity.FromFactor(inner, 0.8, batch.Budget, ScopeOf(name), CapacityPriority.Score));
            foreach (var tokens in Enum.GetValues<GlobalWorkspaceTokens>())
            {
                yield return ($"{name}, workspace, {tokens}", new GlobalWorkspace(inner, threshold, tokens: tokens));
                yield return ($"{name}, random experts, {tokens}", new RandomExperts(inner, threshold, tokens));
            }
        }
    }

    /// <summary>The policies that choose for themselves.</summary>
    public static IEnumerable<(string Name, RoutingPolicy Policy)> Plain(RandomBatch batch)
    {
        yield return ("Token Choice, Sequence", new TokenChoice(Math.Min(batch.Experts, (int)Math.Ceiling(batch.Budget)), normalizeWeights: true));
        var most = Math.Min(batch.Experts, 2);
        yield return ("Token Choice, sigmoid, Sequence", new TokenChoice(most, true) { ScoreFunction = ScoreFunction.Sigmoid, SmallestSum = 1e-20 });
        yield return ("Token Choice, SparseMixer, Sequence", new TokenChoice(most, false) { ScoreFunction = ScoreFunction.SparseMixer, Jitter = 0.1 });
        yield return ("Token Choice, groups, Sequence", new TokenChoice(1, false) { Groups = new ExpertGroups(batch.Experts, most) });
        yield return ("Token Choice, skipping, Sequence", new TokenChoice(most, true) { SkipThreshold = 0.5 });
        yield return ("ReLU, Sequence", new ReluRouting());
        foreach (var scope in Enum.GetValues<RoutingScope>())
        {
            if (scope != RoutingScope.Prefix)
                yield return ($"Expert Choice, {scope}", new ExpertChoice(batch.Budget, scope));
            yield return ($"Unified, {scope}", new Unified(batch.Budget, batch.Alpha, scope));
        }
    }

    private static RoutingScope ScopeOf(string name) =>
        Enum.GetValues<RoutingScope>().Single(scope => name.EndsWith(scope.ToString(), StringComparison.Ordinal));

    /// <summary>Groups of a capacity over a policy: those that it chooses in, or sequences where it has none.</summary>
    private static RoutingScope GroupsOf(string name) => ScopeOf(name) is var scope and not RoutingScope.Prefix ? scope : RoutingScope.Sequence;
}
