using System.Buffers;

namespace Microsoft.ML.Moe.Routing;

/// <summary>The token–expert pairs of a plan in the making: a T×E matrix of flags, and one flag more for each token.</summary>
internal readonly ref struct PairMatrix
{
    private readonly Span<bool> _selectedTE;

    /// <summary>A matrix without pairs.</summary>
    /// <param name="memory"><see cref="LengthOf"/> flags with any content.</param>
    /// <param name="tokens">Number of tokens, T.</param>
    /// <param name="experts">Number of experts, E.</param>
    public PairMatrix(Span<bool> memory, int tokens, int experts)
        : this(memory[..(tokens * experts)], memory.Slice(tokens * experts, tokens), experts)
    {
        _selectedTE.Clear();
        Broadcast.Clear();
    }

    /// <summary>The matrix whose memory this is.</summary>
    public static PairMatrix Over(Span<bool> memory, int tokens, int experts) =>
        new(memory[..(tokens * experts)], memory.Slice(tokens * experts, tokens), experts);

    private PairMatrix(Span<bool> selectedTE, Span<bool> broadcast, int experts)
    {
        _selectedTE = selectedTE;
        Broadcast = broadcast;
        Experts = experts;
    }

    /// <summary>Flags that a matrix takes.</summary>
    public static int LengthOf(int tokens, int experts) => checked(tokens * (experts + 1));

    /// <summary>Number of tokens, T.</summary>
    public int Tokens => Broadcast.Length;

    /// <summary>Number of experts, E.</summary>
    public int Experts { get; }

    /// <summary>For each token whether it was sent to all experts (GW-MoE).</summary>
    public Span<bool> Broadcast { get; }

    /// <summary>One flag for each expert of a token.</summary>
    public Span<bool> Of(int token) => _selectedTE.Slice(token * Experts, Experts);

    /// <summary>The rows of some tokens.</summary>
    public PairMatrix Slice(int first, int count) =>
        new(_selectedTE.Slice(first * Experts, count * Experts), Broadcast.Slice(first, count), Experts);

    /// <summary>Takes over the pairs of a plan.</summary>
    /// <exception cref="ArgumentException">It is for other tokens or experts.</exception>
    public PlanTerms Take(RoutingPlan plan)
    {
        if (plan.Tokens != Tokens || plan.Experts != Experts)
        {
            throw new ArgumentException(
                $"A plan for {plan.Tokens} tokens and {plan.Experts} experts does not fit {Tokens} tokens and {Experts} experts.", nameof(plan));
        }

        for (var expert = 0; expert < Experts; expert++)
        {
            foreach (var token in plan.TokensOf(expert))
                Of(token)[expert] = true;
        }

        for (var token = 0; token < Tokens; token++)
            Broadcast[token] = plan.IsBroadcast(token);
        return new PlanTerms(plan.Weights, plan.HasBroadcast, plan.DroppedPairs)
        {
            PassesDropped = plan.PassesDropped,
            PassesBroadcast = plan.PassesBroadcast,
        };
    }

    /// <summary>Fills a plan with these pairs.</summary>
    /// <param name="terms">What the policy says about them.</param>
    /// <param name="plan">The plan; what it was before is lost.</param>
    /// <returns>The plan.</returns>
    public RoutingPlan ToPlan(in PlanTerms terms, RoutingPlan plan)
    {
        var count = _selectedTE.Count(true);
        plan.Become(Tokens, Experts, count, terms);
        if (terms.HasBroadcast)
            Broadcast.CopyTo(plan.Broadcast);
        var pairs = ArrayPool<int>.Shared.Rent(count);
        var offsets = plan.ExpertOffsets;
        Array.Clear(offsets);
        var entry = -1;
        for (var i = 0; i < count; i++)
        {
            entry += 1 + _selectedTE[(entry + 1)..].IndexOf(true);
            pairs[i] = entry;
            offsets[entry % Experts + 1]++;
        }

        for (var expert = 0; expert < Experts; expert++)
            offsets[expert + 1] += offsets[expert];
        var next = ArrayPool<int>.Shared.Rent(Experts);
        offsets.AsSpan(0, Experts).CopyTo(next);
        var tokens = plan.PairTokensToWrite;
        foreach (var pair in pairs.AsSpan(0, count))
            tokens[next[pair % Experts]++] = pair / Experts;

        ArrayPool<int>.Shared.Return(next);
        ArrayPool<int>.Shared.Return(pairs);
        return plan;
    }
}
