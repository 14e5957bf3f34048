using System.Buffers;

namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// The token–expert pairs of a plan in the making: a T×E matrix of flags, in memory that is given back when the plan is made.
/// </summary>
internal sealed class PairMatrix
{
    private readonly int _experts;
    private readonly int _length;
    private bool[] _selectedTE;

    /// <summary>A matrix without pairs.</summary>
    /// <param name="tokens">Number of tokens, T.</param>
    /// <param name="experts">Number of experts, E.</param>
    public PairMatrix(int tokens, int experts)
    {
        _experts = experts;
        Tokens = tokens;
        _length = checked(tokens * experts);
        _selectedTE = ArrayPool<bool>.Shared.Rent(_length);
        Array.Clear(_selectedTE, 0, _length);
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

    /// <summary>The plan of these pairs; the matrix is used up.</summary>
    /// <param name="weights">Rule of the pairs' weights.</param>
    /// <param name="broadcast">Tokens that were sent to all experts; null when none can be.</param>
    /// <param name="copiesBroadcast">See <see cref="RoutingPlan.CopiesBroadcast"/>.</param>
    /// <param name="droppedPairs">See <see cref="RoutingPlan.DroppedPairs"/>.</param>
    public RoutingPlan ToPlan(CombineRule weights, bool[]? broadcast = null, bool copiesBroadcast = false, int droppedPairs = 0)
    {
        ReadOnlySpan<bool> selectedTE = _selectedTE.AsSpan(0, _length);
        var count = selectedTE.Count(true);
        var pairs = ArrayPool<int>.Shared.Rent(count);
        var offsets = new int[_experts + 1];
        var entry = -1;
        for (var i = 0; i < count; i++)
        {
            entry += 1 + selectedTE[(entry + 1)..].IndexOf(true);
            pairs[i] = entry;
            offsets[entry % _experts + 1]++;
        }

        for (var expert = 0; expert < _experts; expert++)
            offsets[expert + 1] += offsets[expert];
        var next = ArrayPool<int>.Shared.Rent(_experts);
        offsets.AsSpan(0, _experts).CopyTo(next);
        var tokens = new int[count];
        foreach (var pair in pairs.AsSpan(0, count))
            tokens[next[pair % _experts]++] = pair / _experts;

        ArrayPool<int>.Shared.Return(next);
        ArrayPool<int>.Shared.Return(pairs);
        ArrayPool<bool>.Shared.Return(_selectedTE);
        _selectedTE = [];
        return new RoutingPlan(Tokens, offsets, tokens, weights, broadcast)
        {
            CopiesBroadcast = copiesBroadcast,
            DroppedPairs = droppedPairs,
        };
    }
}
