namespace Microsoft.ML.Moe.Routing;

/// <summary>Collects token–expert pairs in ascending order of tokens and sorts them by expert.</summary>
/// <param name="experts">Number of experts, E.</param>
internal sealed class PairList(int experts)
{
    private readonly List<int>[] _tokensByExpert = [.. Enumerable.Range(0, experts).Select(_ => new List<int>())];

    /// <summary>The pairs marked in a T×E matrix.</summary>
    public static PairList From(ReadOnlySpan<bool> selectedTE, int experts)
    {
        var pairs = new PairList(experts);
        for (var i = 0; i < selectedTE.Length; i++)
            if (selectedTE[i])
                pairs.Add(i / experts, i % experts);
        return pairs;
    }

    /// <summary>Adds a pair; tokens come in ascending order.</summary>
    public void Add(int token, int expert) => _tokensByExpert[expert].Add(token);

    /// <summary>Whether the token that is being added has the expert already.</summary>
    public bool Contains(int token, int expert) => _tokensByExpert[expert] is [.., var last] && last == token;

    /// <summary>The plan of these pairs.</summary>
    /// <param name="tokens">Number of tokens, T.</param>
    /// <param name="weights">Rule of the pairs' weights.</param>
    /// <param name="broadcast">Tokens that were sent to all experts; null when none can be.</param>
    public RoutingPlan ToPlan(int tokens, CombineRule weights, bool[]? broadcast = null)
    {
        var offsets = new int[experts + 1];
        for (var expert = 0; expert < experts; expert++)
            offsets[expert + 1] = offsets[expert] + _tokensByExpert[expert].Count;
        return new RoutingPlan(tokens, offsets, [.. _tokensByExpert.SelectMany(t => t)], weights, broadcast);
    }
}
