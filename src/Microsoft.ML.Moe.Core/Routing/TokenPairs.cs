using System.Buffers;

namespace Microsoft.ML.Moe.Routing;

/// <summary>A plan's pairs by token; those of a token stand in the order of their experts.</summary>
internal sealed class TokenPairs
{
    private readonly int[] _offsets;
    private readonly int[] _pairs;
    private readonly int[] _experts;

    private TokenPairs(int[] offsets, int[] pairs, int[] experts)
    {
        _offsets = offsets;
        _pairs = pairs;
        _experts = experts;
    }

    /// <summary>Sorts a plan's pairs by token; <see cref="RoutingPlan.ByToken"/> keeps the result.</summary>
    public static TokenPairs Create(RoutingPlan plan)
    {
        var offsets = new int[plan.Tokens + 1];
        foreach (var token in plan.PairTokens)
            offsets[token + 1]++;
        for (var token = 0; token < plan.Tokens; token++)
            offsets[token + 1] += offsets[token];
        var next = ArrayPool<int>.Shared.Rent(plan.Tokens);
        offsets.AsSpan(0, plan.Tokens).CopyTo(next);
        var pairs = new int[plan.Pairs];
        var experts = new int[plan.Pairs];
        for (var expert = 0; expert < plan.Experts; expert++)
        {
            for (var pair = plan.ExpertOffsets[expert]; pair < plan.ExpertOffsets[expert + 1]; pair++)
            {
                pairs[next[plan.PairTokens[pair]]++] = pair;
                experts[pair] = expert;
            }
        }

        ArrayPool<int>.Shared.Return(next);
        return new TokenPairs(offsets, pairs, experts);
    }

    /// <summary>All pairs, by token and then by expert.</summary>
    public ReadOnlySpan<int> Sorted => _pairs;

    /// <summary>Where a token's pairs start in <see cref="Sorted"/>; for the number of tokens, where the last one's end.</summary>
    public int Start(int token) => _offsets[token];

    /// <summary>Pairs of a token, by ascending expert.</summary>
    public ReadOnlySpan<int> Of(int token) => _pairs.AsSpan(_offsets[token].._offsets[token + 1]);

    /// <summary>Expert of a pair.</summary>
    public int Expert(int pair) => _experts[pair];
}
