using System.Numerics;

namespace Microsoft.ML.Moe.Routing;

/// <summary>
/// What a policy decided: which token goes to which expert, and by which rule the pairs are weighted. Plain data that can be
/// logged, plotted, compared and replayed. An engine may leave the pairs on its device until somebody asks for them, such as by
/// <see cref="TokensOf"/>; the first to ask must do so before the tape is disposed, and what was asked for once stays.
/// </summary>
public sealed class RoutingPlan
{
    private readonly Lazy<RoutingPlan>? _onDevice;
    private int[] _offsets = [];
    private int[] _pairTokens = [];
    private bool[] _broadcast = [];
    private TokenPairs? _byToken;
    private TokenPairs? _usedByToken;
    private PlanTerms _terms;

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
        (Tokens, Experts, Pairs) = (tokens, expertOffsets.Length - 1, pairTokens.Length);
        _offsets = expertOffsets;
        _pairTokens = pairTokens;
        _broadcast = broadcast ?? [];
        _terms = new PlanTerms(weights, broadcast is not null);
    }

    /// <summary>Creates a plan that has still to <see cref="Become"/> one.</summary>
    internal RoutingPlan()
    {
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
        (Tokens, Experts, Pairs) = (tokens, experts, pairs);
        _terms = new PlanTerms(weights);
    }

    /// <summary>Number of tokens, T.</summary>
    public int Tokens { get; private set; }

    /// <summary>Number of experts, E.</summary>
    public int Experts { get; private set; }

    /// <summary>Number of token–expert pairs, P.</summary>
    public int Pairs { get; private set; }

    /// <summary>Rule of the pairs' weights.</summary>
    public CombineRule Weights => _terms.Weights;

    /// <summary>Number of pairs that the inner policy wanted and an <see cref="ExpertCapacity"/> did not leave.</summary>
    public int DroppedPairs
    {
        get => _terms.DroppedPairs;
        init => _terms = _terms with { DroppedPairs = value };
    }

    /// <summary>Whether the pairs are on a device still, so that asking for them makes the host wait.</summary>
    internal bool IsOnDevice => _onDevice is { IsValueCreated: false };

    /// <summary>E + 1 numbers: pairs [ExpertOffsets[e], ExpertOffsets[e + 1]) belong to expert e.</summary>
    internal int[] ExpertOffsets => OnHost._offsets;

    /// <summary>Token of each pair; ascending within an expert.</summary>
    internal ReadOnlySpan<int> PairTokens => PairTokensToWrite;

    /// <summary>The same, for whoever makes the plan.</summary>
    internal Span<int> PairTokensToWrite => OnHost._pairTokens.AsSpan(0, Pairs);

    /// <summary>
    /// The pairs by token: sorted once for the several operations that ask. Two threads that ask first at once sort both, to equal ends.
    /// </summary>
    internal TokenPairs ByToken => _byToken ??= TokenPairs.Create(this, _usedByToken);

    /// <summary>Whether tokens were sent to all experts; these are weighted by softmax.</summary>
    internal bool HasBroadcast => OnHost._terms.HasBroadcast;

    /// <summary>Whether a token without pairs gives p·x, with p the router's probability of its first choice, instead of 0.</summary>
    internal bool PassesDropped => OnHost._terms.PassesDropped;

    /// <summary>Whether a broadcast token, which then has no pairs, gives p·x, with p the router's probability of the last expert.</summary>
    internal bool PassesBroadcast => OnHost._terms.PassesBroadcast;

    /// <summary>Whether there may be tokens that pass without an expert. A plan on a device has none, and is not asked for.</summary>
    internal bool PassesTokens => _onDevice is null && (_terms.PassesDropped || _terms.PassesBroadcast);

    /// <summary>One flag for each token, whether it was sent to all experts; only where <see cref="HasBroadcast"/>.</summary>
    internal Span<bool> Broadcast => OnHost._broadcast.AsSpan(0, Tokens);

    /// <summary>The same pairs as those of as many tokens, pair p of token p: for products of what the experts have made of each pair.</summary>
    internal RoutingPlan OfPairs() => new(Pairs, ExpertOffsets, [.. Enumerable.Range(0, Pairs)], Weights);

    /// <summary>Tokens of one expert, ascending.</summary>
    /// <param name="expert">Expert number within [0, E).</param>
    /// <exception cref="ObjectDisposedException">The pairs were on a device that is gone, and were never copied from it.</exception>
    public ReadOnlySpan<int> TokensOf(int expert) => PairTokens[ExpertOffsets[expert]..ExpertOffsets[expert + 1]];

    /// <summary>Whether a token was sent to all experts (GW-MoE).</summary>
    /// <param name="token">Token number within [0, T).</param>
    public bool IsBroadcast(int token) => HasBroadcast && Broadcast[token];

    private RoutingPlan OnHost => _onDevice is null ? this : _onDevice.Value;

    /// <summary>Makes this another plan, of which offsets, tokens and broadcast flags are still to be written.</summary>
    internal void Become(int tokens, int experts, int pairs, in PlanTerms terms)
    {
        (Tokens, Experts, Pairs, _terms) = (tokens, experts, pairs, terms);
        if (_offsets.Length != experts + 1)
            _offsets = new int[experts + 1];
        Grow(ref _pairTokens, pairs);
        if (terms.HasBroadcast)
            Grow(ref _broadcast, tokens);
        (_usedByToken, _byToken) = (_byToken ?? _usedByToken, null);
    }

    /// <summary>Makes an array long enough: exactly so the first time, with room to grow when it is used again.</summary>
    internal static void Grow<T>(ref T[] array, int length)
    {
        if (array.Length < length)
            array = new T[array.Length == 0 ? length : (int)BitOperations.RoundUpToPowerOf2((uint)length)];
    }
}
