namespace Microsoft.ML.Moe.Routing;

/// <summary>Collects token–expert pairs in ascending order of tokens and sorts them by expert.</summary>
/// <param name="experts">Number of experts, E.</param>
internal sealed class PairList(int experts)
{
    private readonly List<int>[] _tokensByExpert = [.. Enumerable.Range(0, experts).Select(_ => new List<int>())];

    /// <summary>Adds a pair; tokens come in ascending order.</summary>
    public void Add(int token, int expert) => _tokensByExpert[expert].Add(token);

    /// <summary>Whether the token that is being added has the expert already.</summary>
    public bool Contains(int token, int expert) => _tokensByExpert[expert] is [.., var last] && last == token;

    /// <summary>The plan of these pairs.</summary>
    public RoutingPlan ToPlan(int tokens, CombineRule weights)
    {
        var offsets = new int[experts + 1];
        for (var expert = 0; expert < experts; expert++)
            offsets[expert + 1] = offsets[expert] + _tokensByExpert[expert].Count;
        return new RoutingPlan(tokens, offsets, [.. _tokensByExpert.SelectMany(t => t)], weights);
    }
}
