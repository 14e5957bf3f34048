namespace Microsoft.ML.Moe.Routing;

/// <summary>The token–expert pairs of a plan in the making: a T×E matrix of flags.</summary>
internal sealed class PairMatrix
{
    private readonly int _experts;
    private readonly bool[] _selectedTE;

    /// <summary>A matrix without pairs.</summary>
    /// <param name="tokens">Number of tokens, T.</param>
    /// <param name="experts">Number of experts, E.</param>
    public PairMatrix(int tokens, int experts)
    {
        _experts = experts;
        Tokens = tokens;
        _selectedTE = new bool[checked(tokens * experts)];
    }

    /// <summary>The pairs of a plan.</summary>
    public static PairMatrix Of(RoutingPlan plan)
    {
        var pairs = new PairMatrix(plan.Tokens, plan.Experts);
        for (var expert = 0; expert < plan.Experts; expert++)
            foreach (var token in plan.TokensOf(expert))
                pairs.Of(token)[expert] = true;
        return pairs;
    }

    /// <summary>Number of tokens, T.</summary>
    public int Tokens { get; }

    /// <summary>One flag for each expert of a token.</summary>
    public Span<bool> Of(int token) => _selectedTE.AsSpan(token * _experts, _experts);

    /// <summary>The plan of these pairs.</summary>
    /// <param name="weights">Rule of the pairs' weights.</param>
    /// <param name="broadcast">Tokens that were sent to all experts; null when none can be.</param>
    /// <param name="copiesBroadcast">See <see cref="RoutingPlan.CopiesBroadcast"/>.</param>
    /// <param name="droppedPairs">See <see cref="RoutingPlan.DroppedPairs"/>.</param>
    public RoutingPlan ToPlan(CombineRule weights, bool[]? broadcast = null, bool copiesBroadcast = false, int droppedPairs = 0)
    {
        var pairs = new int[_selectedTE.AsSpan().Count(true)];
        var offsets = new int[_experts + 1];
        var entry = -1;
        for (var i = 0; i < pairs.Length; i++)
        {
            entry += 1 + _selectedTE.AsSpan(entry + 1).IndexOf(true);
            pairs[i] = entry;
            offsets[entry % _experts + 1]++;
        }

        for (var expert = 0; expert < _experts; expert++)
            offsets[expert + 1] += offsets[expert];
        var next = offsets[..^1];
        var tokens = new int[pairs.Length];
        foreach (var pair in pairs)
            tokens[next[pair % _experts]++] = pair / _experts;

        return new RoutingPlan(Tokens, offsets, tokens, weights, broadcast)
        {
            CopiesBroadcast = copiesBroadcast,
            DroppedPairs = droppedPairs,
        };
    }
}
