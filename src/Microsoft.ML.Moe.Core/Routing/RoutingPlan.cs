namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// What a policy decided: which token goes to which expert, and by which rule the pairs are weighted. Plain data that can be
/// logged, plotted, compared and replayed. An engine may leave the pairs on its device until somebody asks for them, such as by
/// <see cref="TokensOf"/>; the first to ask must do so before the tape is disposed, and what was asked for once stays.
/// </summary>
public sealed class RoutingPlan
{
    private readonly Lazy<RoutingPlan>? _onDevice;
    private TokenPairs? _byToken;

    /// <summary>Creates a plan.</summary>
    /// <param name="tokens">Number of tokens, T.</param>
    /// <param name="expertOffsets">E + 1 numbers: pairs [expertOffsets[e], expertOffsets[e + 1]) belong to expert e.</param>
    /// <param name="pairTokens">Token of each pair; ascending within an expert, no pair twice.</param>
    /// <param name="weights">Rule of the pairs' weights.</param>
    /// <param name="broadcast">Tokens that GW-MoE sent to all experts; null when none can be.</param>
    public RoutingPlan(int tokens, int[] expertOffsets, int[] pairTokens, CombineRule weights, bool[]? broadcast = null)
    {
        ArgumentNullException.ThrowIfNull(expertOffsets);
        ArgumentNullException.ThrowIfNull(pairTokens);
        if (expertOffsets.Length < 2 || expertOffsets[0] != 0 || expertOffsets[^1] != pairTokens.Length)
            throw new ArgumentException("Offsets go from 0 to the number of pairs.", nameof(expertOffsets));
        if (broadcast != null && broadcast.Length != tokens)
            throw new ArgumentException("One flag for each token.", nameof(broadcast));
        Tokens = tokens;
        Experts = expertOffsets.Length - 1;
        Pairs = pairTokens.Length;
        ExpertOffsets = expertOffsets;
        PairTokens = pairTokens;
        Weights = weights;
        Broadcast = broadcast;
    }

    /// <summary>Creates a plan of pairs on a device.</summary>
    /// <param name="tokens">Number of tokens, T.</param>
    /// <param name="experts">Number of experts, E.</param>
    /// <param name="pairs">Number of pairs, P.</param>
    /// <param name="weights">Rule of the pairs' weights.</param>
    /// <param name="read">Fetches the pairs: the same plan in the host's memory. Called at most once, when somebody asks first.</param>
    internal RoutingPlan(int tokens, int experts, int pairs, CombineRule weights, Func<RoutingPlan> read)
    {
        _onDevice = new Lazy<RoutingPlan>(read);
        (Tokens, Experts, Pairs, Weights) = (tokens, experts, pairs, weights);
        (ExpertOffsets, PairTokens) = ([], []);
    }

    /// <summary>Number of tokens, T.</summary>
    public int Tokens { get; }

    /// <summary>Number of experts, E.</summary>
    public int Experts { get; }

    /// <summary>Number of token–expert pairs, P.</summary>
    public int Pairs { get; }

    /// <summary>Rule of the pairs' weights.</summary>
    public CombineRule Weights { get; }

    /// <summary>
    /// Whether the pairs of broadcast tokens stand for copies of the token, which no expert touches
    /// (<see cref="GlobalWorkspaceRule.AsReleased"/>).
    /// </summary>
    public bool CopiesBroadcast { get; init; }

    /// <summary>Number of pairs that the inner policy wanted and an <see cref="ExpertCapacity"/> did not leave.</summary>
    public int DroppedPairs { get; init; }

    /// <summary>E + 1 numbers: pairs [ExpertOffsets[e], ExpertOffsets[e + 1]) belong to expert e.</summary>
    internal int[] ExpertOffsets => _onDevice is null ? field : _onDevice.Value.ExpertOffsets;

    /// <summary>Token of each pair; ascending within an expert.</summary>
    internal int[] PairTokens => _onDevice is null ? field : _onDevice.Value.PairTokens;

    /// <summary>
    /// The pairs by token: sorted once for the several operations that ask. Two threads that ask first at once sort both, to equal ends.
    /// </summary>
    internal TokenPairs ByToken => _byToken ??= TokenPairs.Create(this);

    /// <summary>Tokens that were sent to all experts and are weighted by softmax; null when there are none.</summary>
    internal bool[]? Broadcast => _onDevice is null ? field : _onDevice.Value.Broadcast;

    /// <summary>Tokens of one expert, ascending.</summary>
    /// <param name="expert">Expert number within [0, E).</param>
    /// <exception cref="ObjectDisposedException">Nobody has asked for the pairs while they were on a device.</exception>
    public ReadOnlySpan<int> TokensOf(int expert) => PairTokens.AsSpan(ExpertOffsets[expert]..ExpertOffsets[expert + 1]);

    /// <summary>Whether a token was sent to all experts (GW-MoE).</summary>
    /// <param name="token">Token number within [0, T).</param>
    public bool IsBroadcast(int token) => Broadcast is not null && Broadcast[token];

    /// <summary>The plan of several runs of sequences, one after the other.</summary>
    /// <param name="plans">Their plans, by one policy; at least one.</param>
    internal static RoutingPlan Join(ReadOnlySpan<RoutingPlan> plans)
    {
        var experts = plans[0].Experts;
        var (all, pairs, dropped, hasBroadcast, copies) = (0, 0, 0, false, false);
        foreach (var plan in plans)
        {
            all += plan.Tokens;
            pairs += plan.Pairs;
            dropped += plan.DroppedPairs;
            hasBroadcast |= plan.Broadcast is not null;
            copies |= plan.CopiesBroadcast;
        }

        var offsets = new int[experts + 1];
        var tokens = new int[pairs];
        var pair = 0;
        for (var expert = 0; expert < experts; expert++)
        {
            var first = 0;
            foreach (var plan in plans)
            {
                foreach (var token in plan.TokensOf(expert))
                    tokens[pair++] = first + token;
                first += plan.Tokens;
            }

            offsets[expert + 1] = pair;
        }

        var broadcast = hasBroadcast ? new bool[all] : null;
        var start = 0;
        foreach (var plan in plans)
        {
            plan.Broadcast?.CopyTo(broadcast!, start);
            start += plan.Tokens;
        }

        return new RoutingPlan(all, offsets, tokens, plans[0].Weights, broadcast)
        {
            CopiesBroadcast = copies,
            DroppedPairs = dropped,
        };
    }

    /// <summary>The pairs of the broadcast tokens alone, or of all the others.</summary>
    /// <param name="broadcast">Which of the two.</param>
    internal RoutingPlan Part(bool broadcast)
    {
        var pairs = 0;
        foreach (var token in PairTokens)
            pairs += IsBroadcast(token) == broadcast ? 1 : 0;
        var offsets = new int[Experts + 1];
        var tokens = new int[pairs];
        pairs = 0;
        for (var expert = 0; expert < Experts; expert++)
        {
            foreach (var token in TokensOf(expert))
                if (IsBroadcast(token) == broadcast)
                    tokens[pairs++] = token;
            offsets[expert + 1] = pairs;
        }

        return new RoutingPlan(Tokens, offsets, tokens, Weights, Broadcast);
    }
}
