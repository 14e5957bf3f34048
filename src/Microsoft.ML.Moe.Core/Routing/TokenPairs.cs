using System.Buffers;

namespace Microsoft.ML.Moe.Routing;

/// <summary>A plan's pairs by token; those of a token stand in the order of their experts.</summary>
internal sealed class TokenPairs
{
    private int[] _offsets = [];
    private int[] _pairs = [];
    private int[] _experts = [];
    private int _count;

    /// <summary>Sorts a plan's pairs by token; <see cref="RoutingPlan.ByToken"/> keeps the result.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="used">Takes the result, in place of what it was; null for a new one.</param>
    public static TokenPairs Create(RoutingPlan plan, TokenPairs? used)
    {
        used ??= new TokenPairs();
        used.Sort(plan);
        return used;
    }

    /// <summary>All pairs, by token and then by expert.</summary>
    public ReadOnlySpan<int> Sorted => _pairs.AsSpan(0, _count);

    /// <summary>Where a token's pairs start in <see cref="Sorted"/>; for the number of tokens, where the last one's end.</summary>
    public int Start(int token) => _offsets[token];

    /// <summary>Pairs of a token, by ascending expert.</summary>
    public ReadOnlySpan<int> Of(int token) => _pairs.AsSpan(_offsets[token].._offsets[token + 1]);

    /// <summary>Expert of a pair.</summary>
    public int Expert(int pair) => _experts[pair];

    private void Sort(RoutingPlan plan)
    {
        _count = plan.Pairs;
        RoutingPlan.Grow(ref _offsets, plan.Tokens + 1);
        RoutingPlan.Grow(ref _pairs, plan.Pairs);
        RoutingPlan.Grow(ref _experts, plan.Pairs);
        var offsets = _offsets.AsSpan(0, plan.Tokens + 1);
        offsets.Clear();
        var tokens = plan.PairTokens;
        foreach (var token in tokens)
            offsets[token + 1]++;
        for (var token = 0; token < plan.Tokens; token++)
            offsets[token + 1] += offsets[token];
        var next = ArrayPool<int>.Shared.Rent(plan.Tokens);
        offsets[..plan.Tokens].CopyTo(next);
        for (var expert = 0; expert < plan.Experts; expert++)
        {
            for (var pair = plan.ExpertOffsets[expert]; pair < plan.ExpertOffsets[expert + 1]; pair++)
            {
                _pairs[next[tokens[pair]]++] = pair;
                _experts[pair] = expert;
            }
        }

        ArrayPool<int>.Shared.Return(next);
    }
}
