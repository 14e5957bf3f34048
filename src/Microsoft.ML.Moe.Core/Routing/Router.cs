using System.Globalization;
using System.Text.Json.Serialization;

namespace Microsoft.ML.Moe.Routing;

/// <summary>How tokens and experts find each other.</summary>
public enum RouterKind
{
    /// <summary>Each token takes its best experts: <see cref="Routing.TokenChoice"/>.</summary>
    TokenChoice,

    /// <summary>Each expert takes its best tokens: <see cref="Routing.ExpertChoice"/>.</summary>
    ExpertChoice,

    /// <summary>The best pairs of all, by one score: <see cref="Routing.Unified"/> (USMoE).</summary>
    Unified,

    /// <summary>
    /// No token is sent anywhere: each expert works on slots, which are means of all tokens of a sequence (Puigcerver et al. 2023, "From
    /// sparse to soft mixtures of experts").
    /// </summary>
    Soft,
}

/// <summary>Which tokens compete with each other for experts, where a policy looks beyond single tokens.</summary>
public enum RoutingScope
{
    /// <summary>
    /// The tokens of one sequence. A row's result depends on no other row; a later token can take an earlier one's expert, so this
    /// is not causal. The default for classifiers.
    /// </summary>
    Sequence,

    /// <summary>Tokens at the same position of all sequences. Causal in time, but a row's result depends on its batch mates.</summary>
    TimeStep,

    /// <summary>All tokens of the batch.</summary>
    Batch,

    /// <summary>
    /// The tokens of one sequence up to the token itself, with Unified: a pair (t, e) is selected when its score is among the ⌊(t + 1)·k⌋
    /// largest of the tokens 0…t. Causal, and a row's result depends on no other row: the scope for models that write. A sequence's pairs
    /// are near T·k, not exactly as many.
    /// </summary>
    Prefix,
}

/// <summary>Which tokens keep an expert that more tokens want than it may take.</summary>
public enum CapacityPriority
{
    /// <summary>The earlier token (Switch Transformers).</summary>
    Position,

    /// <summary>The token with the larger router probability for the expert; among equals the earlier one.</summary>
    Score,

    /// <summary>
    /// The token whose first choice it is, before those whose second it is; among equals the earlier one (GShard; V-MoE's vanilla routing).
    /// </summary>
    Choice,

    /// <summary>
    /// As <see cref="Choice"/>, but among equals the token whose largest probability, of any expert, is larger (V-MoE's batch priority routing,
    /// Riquelme et al. 2021, arXiv 2106.05974, section 4).
    /// </summary>
    BatchPriority,
}

/// <summary>What a token gives that a capacity has left without experts.</summary>
public enum DroppedTokens
{
    /// <summary>Nothing: the residual connection carries it on alone (Switch Transformers, section 2.2; transformers from 4.52 on).</summary>
    Zero,

    /// <summary>
    /// Its own vector times the router's probability of its first choice, p·x: what transformers computed for Switch Transformers up to 4.51,
    /// and the released code of GW-MoE with it.
    /// </summary>
    PassThrough,
}

/// <summary>
/// A routing policy as a value: the same in options, in <c>WithRouting</c> and <c>CompareRouting</c>, in reports and in model files.
/// Made by <see cref="TokenChoice"/>, <see cref="ExpertChoice"/>, <see cref="Unified"/> or <see cref="Soft"/>, and changed by <c>with</c>.
/// Every value is checked when it is set.
/// </summary>
/// <example>
/// <code language="csharp"><![CDATA[
/// var router = Router.Unified(1.5, alpha: 0.4);
/// var frugal = router with { ExpertsPerToken = 1 };
/// ]]></code>
/// </example>
public sealed record Router
{
    private const double DefaultAlpha = 0.5;

    /// <summary>For files, which tell <see cref="Kind"/> first, and <see cref="ExpertsPerToken"/>.</summary>
    [JsonConstructor]
    internal Router()
    {
    }

    private Router(RouterKind kind, double expertsPerToken)
    {
        Kind = kind;
        ExpertsPerToken = expertsPerToken;
    }

    /// <summary>Which policy.</summary>
    [JsonInclude]
    [JsonRequired]
    public RouterKind Kind { get; internal init => field = OptionCheck.Defined(value, nameof(Kind)); }

    /// <summary>
    /// Experts that each token is sent to, k, over 0: exactly with Token Choice, where it is a whole number, and on average with the
    /// others, where it may be a fraction.
    /// </summary>
    [JsonRequired]
    public double ExpertsPerToken
    {
        get;
        init
        {
            if (!(value > 0 && double.IsFinite(value)))
                throw new ArgumentOutOfRangeException(nameof(ExpertsPerToken), value, $"{nameof(ExpertsPerToken)} must be over 0 and finite.");
            if (Kind == RouterKind.TokenChoice && value != Math.Floor(value))
                throw new ArgumentOutOfRangeException(
                    nameof(ExpertsPerToken),
                    value,
                    $"{nameof(ExpertsPerToken)} is a whole number with Token Choice; Expert Choice and Unified take fractions.");
            field = value;
        }
    }

    /// <summary>Share of the experts' view in the score of Unified, within [0, 1]. Default 0.5; the other routers have no such view.</summary>
    public double Alpha
    {
        get;
        init
        {
            OptionCheck.Range(value, 0, 1, nameof(Alpha));
            field = Kind == RouterKind.Unified || value == DefaultAlpha ? value : throw HasNoEffect(nameof(Alpha));
        }
    } = DefaultAlpha;

    /// <summary>
    /// Which tokens compete, with Expert Choice, Unified and a capacity. Any but <see cref="RoutingScope.Sequence"/>, the default, makes
    /// a row's prediction depend on the rows that it is scored with.
    /// </summary>
    public RoutingScope Scope
    {
        get;
        init
        {
            OptionCheck.Defined(value, nameof(Scope));
            if (Kind == RouterKind.Soft && value != RoutingScope.Sequence)
                throw HasNoEffect($"{nameof(Scope)} = {value}", nameof(Scope));
            if (value == RoutingScope.Prefix && Kind != RouterKind.Unified)
                throw HasNoEffect($"{nameof(Scope)} = {value}", nameof(Scope));
            field = value == RoutingScope.Prefix && HasCapacity ? throw NoPrefixCapacity(nameof(Scope)) : value;
        }
    }

    /// <summary>
    /// What the weights of a token's experts are divided by: with Token Choice nothing or the sum over the selected, with Unified any, with
    /// Expert Choice nothing. Where Unified takes the place of a router whose weights were normalised, without training, choose
    /// <see cref="WeightNormalization.Selected"/>: other weights change the layer's scale.
    /// </summary>
    public WeightNormalization Normalization
    {
        get;
        init
        {
            OptionCheck.Defined(value, nameof(Normalization));
            var isPossible = Kind switch
            {
                RouterKind.TokenChoice => value != WeightNormalization.All,
                RouterKind.ExpertChoice or RouterKind.Soft => value == WeightNormalization.None,
                _ => true,
            };
            field = isPossible ? value : throw HasNoEffect($"{nameof(Normalization)} = {value}", nameof(Normalization));
        }
    }

    /// <summary>
    /// What is made of the logits, with Token Choice: <see cref="ScoreFunction.Softmax"/>, the default; <see cref="ScoreFunction.Sigmoid"/>
    /// (DeepSeek-V3); <see cref="ScoreFunction.SparseMixer"/> (Phi-3.5-MoE).
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public ScoreFunction ScoreFunction
    {
        get;
        init
        {
            OptionCheck.Defined(value, nameof(ScoreFunction));
            if (value == ScoreFunction.Relu || (value != default && Kind != RouterKind.TokenChoice))
                throw HasNoEffect($"{nameof(ScoreFunction)} = {value}", nameof(ScoreFunction));
            field = value;
        }
    }

    /// <summary>
    /// ε of <see cref="ScoreFunction.SparseMixer"/>, within [0, 1]: beside an expert with logit l count those with
    /// (l − lᵢ)/max(|lᵢ|, l) ≤ 2ε. Phi-3.5-MoE's router_jitter_noise is 0.01. Default 0: only those with the same logit.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public double Jitter
    {
        get;
        init
        {
            OptionCheck.Range(value, 0, 1, nameof(Jitter));
            field = value == 0 || Kind == RouterKind.TokenChoice ? value : throw HasNoEffect(nameof(Jitter));
        }
    }

    /// <summary>Groups of experts that a token chooses from, with Token Choice (DeepSeek). Default null: one group.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public ExpertGroups? Groups
    {
        get;
        init => field = value is null || Kind == RouterKind.TokenChoice ? value : throw HasNoEffect(nameof(Groups));
    }

    /// <summary>
    /// β of dynamic expert skipping, with Token Choice, within [0, 1]: of a token's k experts those whose score is below β times the largest
    /// are left out (Lu et al. 2024, arXiv 2402.14800, section 3.3). Default 0: none.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public double SkipThreshold
    {
        get;
        init
        {
            OptionCheck.Range(value, 0, 1, nameof(SkipThreshold));
            field = value == 0 || Kind == RouterKind.TokenChoice ? value : throw HasNoEffect(nameof(SkipThreshold));
        }
    }

    /// <summary>
    /// Weights that are normalised are divided by at least this, with Token Choice, within [0, 1]: 1e-20 in DeepSeek-V3, moe_norm_min in
    /// ERNIE 4.5. Default 0.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public double SmallestSum
    {
        get;
        init
        {
            OptionCheck.Range(value, 0, 1, nameof(SmallestSum));
            field = value == 0 || Kind == RouterKind.TokenChoice ? value : throw HasNoEffect(nameof(SmallestSum));
        }
    }

    /// <summary>
    /// How many times the pairs of an even split an expert takes at most, over 0: ⌈factor·T·k/N⌉ of each group of T tokens
    /// (<see cref="ExpertCapacity"/>; Switch Transformers use 1 to 2). What is beyond is not sent to it. Default null: no limit.
    /// </summary>
    public double? CapacityFactor
    {
        get;
        init
        {
            if (value is not (null or (> 0 and <= Routing.ExpertCapacity.LargestFactor)))
                throw new ArgumentOutOfRangeException(
                    nameof(CapacityFactor), value, $"{nameof(CapacityFactor)} must be over 0; null means no limit.");
            if (value is not null && Kind == RouterKind.Soft)
                throw HasNoEffect(nameof(CapacityFactor));
            field = value is not null && Scope == RoutingScope.Prefix ? throw NoPrefixCapacity(nameof(CapacityFactor)) : value;
        }
    }

    /// <summary>
    /// What the capacity of <see cref="CapacityFactor"/> is rounded up to a multiple of, within [1, 1024]: 4 in V-MoE. Default 1: the next
    /// whole number.
    /// </summary>
    [JsonIgnore]
    public int CapacityMultiple { get; init => field = OptionCheck.Range(value, 1, 1024, nameof(CapacityMultiple)); } = 1;

    /// <summary><see cref="CapacityMultiple"/> as files hold it: only where it is another than usual.</summary>
    [JsonInclude]
    [JsonPropertyName("capacityMultiple")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    internal int? SavedCapacityMultiple
    {
        get => CapacityMultiple == 1 ? null : CapacityMultiple;
        init => CapacityMultiple = value ?? 1;
    }

    /// <summary>
    /// Standard deviation of normally distributed noise that is added to the logits while training, times the number of experts: 1 adds
    /// N(0, (1/N)²) to each (V-MoE, Riquelme et al. 2021, section 2.1). Within [0, 100]. Default 0: none.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public double Noise
    {
        get;
        init
        {
            OptionCheck.Range(value, 0, 100, nameof(Noise));
            field = value == 0 || Kind != RouterKind.Soft ? value : throw HasNoEffect(nameof(Noise));
        }
    }

    /// <summary>
    /// Slots of each expert with <see cref="Soft"/>, p, within [1, 1024]; the others have none, and 1 stands there. Changing it makes
    /// another model. Default 1.
    /// </summary>
    [JsonIgnore]
    public int SlotsPerExpert
    {
        get;
        init
        {
            OptionCheck.Range(value, 1, 1024, nameof(SlotsPerExpert));
            field = value == 1 || Kind == RouterKind.Soft ? value : throw HasNoEffect(nameof(SlotsPerExpert));
        }
    } = 1;

    /// <summary><see cref="SlotsPerExpert"/> as files hold it: only where it is another than usual.</summary>
    [JsonInclude]
    [JsonPropertyName("slotsPerExpert")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    internal int? SavedSlotsPerExpert
    {
        get => SlotsPerExpert == 1 ? null : SlotsPerExpert;
        init => SlotsPerExpert = value ?? 1;
    }

    /// <summary>
    /// Tokens of each group that an expert takes at most, at least 0: 64 in published Switch Transformers. With
    /// <see cref="CapacityFactor"/> too the smaller of both counts. Default null: no limit, nothing is dropped.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? ExpertCapacity
    {
        get;
        init
        {
            if (value < 0)
                throw new ArgumentOutOfRangeException(
                    nameof(ExpertCapacity), value, $"{nameof(ExpertCapacity)} must be at least 0; null means no limit.");
            if (value is not null && Kind == RouterKind.Soft)
                throw HasNoEffect(nameof(ExpertCapacity));
            field = value is not null && Scope == RoutingScope.Prefix ? throw NoPrefixCapacity(nameof(ExpertCapacity)) : value;
        }
    }

    /// <summary>What a token gives that a capacity has left without experts, with Token Choice. Default <see cref="DroppedTokens.Zero"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public DroppedTokens DroppedTokens
    {
        get;
        init
        {
            OptionCheck.Defined(value, nameof(DroppedTokens));
            field = value == DroppedTokens.Zero || Kind == RouterKind.TokenChoice ? value : throw HasNoEffect(nameof(DroppedTokens));
        }
    }

    /// <summary>Which tokens keep an expert that is full. Default <see cref="CapacityPriority.Position"/>.</summary>
    public CapacityPriority CapacityPriority
    {
        get;
        init => field = OptionCheck.Defined(value, nameof(CapacityPriority));
    }

    /// <summary>
    /// Whether padding stays out of the competition, with Expert Choice, Unified and a capacity. Default true. With false each sequence of
    /// a batch is filled to the longest with padding, as in USMoE's code: results then depend on which rows are scored together.
    /// </summary>
    public bool MaskPadding { get; init; } = true;

    /// <summary>
    /// Whether no later token of a sequence matters to a token's experts, as models that write need: Token Choice, and the others within
    /// <see cref="RoutingScope.Prefix"/> or <see cref="RoutingScope.TimeStep"/>; without a capacity, but for a number of tokens that is the
    /// same for every sequence and the earlier ones of which keep their experts.
    /// </summary>
    [JsonIgnore]
    public bool IsCausal =>
        CapacityFactor is null
        && (ExpertCapacity is null || (Scope != RoutingScope.Batch && CapacityPriority == CapacityPriority.Position))
        && (Kind == RouterKind.TokenChoice || Scope is RoutingScope.Prefix or RoutingScope.TimeStep);

    /// <summary>
    /// Whether a model that writes takes this router though it is not <see cref="IsCausal"/>: where later tokens compete with earlier ones, the
    /// experts of a token tell of what comes after it, a loss over whole texts is too good, and decoding token by token chooses otherwise.
    /// Default false.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool AllowsLookahead { get; init; }

    /// <summary>Token Choice (Shazeer et al. 2017): each token takes the k experts with the largest router probability.</summary>
    /// <param name="expertsPerToken">k, at least 1. Default 2.</param>
    /// <param name="normalizeWeights">
    /// Whether a token's weights are divided by their sum. null, the default, does so for k over 1 (Mixtral), not for 1 (Switch).
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">k is below 1.</exception>
    public static Router TokenChoice(int expertsPerToken = 2, bool? normalizeWeights = null) =>
        new(RouterKind.TokenChoice, expertsPerToken) { Normalization = normalizeWeights ?? expertsPerToken > 1 ? WeightNormalization.Selected : WeightNormalization.None };

    /// <summary>Expert Choice (Zhou et al. 2022): each expert takes its ⌈T·k/N⌉ best tokens of a group.</summary>
    /// <param name="expertsPerToken">k, on average, over 0. Default 2.</param>
    /// <param name="scope">Which tokens compete. Default <see cref="RoutingScope.Sequence"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">A value lies outside its range.</exception>
    public static Router ExpertChoice(double expertsPerToken = 2, RoutingScope scope = RoutingScope.Sequence) =>
        new(RouterKind.ExpertChoice, expertsPerToken) { Scope = scope };

    /// <summary>USMoE (arXiv 2503.22996): the ⌊T·k⌋ best token–expert pairs of a group, by one score.</summary>
    /// <param name="expertsPerToken">k, on average, over 0. Default 2.</param>
    /// <param name="alpha">Share of the experts' view in the score, within [0, 1]. Default 0.5.</param>
    /// <param name="scope">Which tokens compete. Default <see cref="RoutingScope.Sequence"/>.</param>
    /// <param name="normalization">What scores are divided by. Default nothing.</param>
    /// <exception cref="ArgumentOutOfRangeException">A value lies outside its range.</exception>
    public static Router Unified(
        double expertsPerToken = 2,
        double alpha = DefaultAlpha,
        RoutingScope scope = RoutingScope.Sequence,
        WeightNormalization normalization = WeightNormalization.None) =>
        new(RouterKind.Unified, expertsPerToken) { Alpha = alpha, Scope = scope, Normalization = normalization };

    /// <summary>
    /// Soft MoE (Puigcerver et al. 2023, arXiv 2308.00951): each expert has p slots, each a mean of all tokens of a sequence by weights
    /// that are learned, and each token becomes a mean of what the experts make of all slots. Nothing is dropped, and everything has a
    /// gradient. For models whose rows are read whole, trained with it from the start: a model that writes cannot have it, as every slot
    /// sees all tokens; nor can it take the place of a router that chooses, or give its place to one. There are no pairs of tokens and
    /// experts: routing reports, router entropies, router losses and a global workspace are of routers that choose.
    /// </summary>
    /// <param name="slotsPerExpert">
    /// p, within [1, 1024]. Experts · p slots cost what as many tokens do in a dense block; as many as tokens cost the same. Default 1.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">p lies outside its range.</exception>
    public static Router Soft(int slotsPerExpert = 1) => new(RouterKind.Soft, 1) { SlotsPerExpert = slotsPerExpert };

    /// <summary>The policy that routes so.</summary>
    /// <exception cref="InvalidOperationException">It is <see cref="Soft"/>, which chooses nothing.</exception>
    public RoutingPolicy CreatePolicy()
    {
        RoutingPolicy policy = Kind switch
        {
            RouterKind.TokenChoice => new TokenChoice((int)ExpertsPerToken, Normalization == WeightNormalization.Selected)
            {
                ScoreFunction = ScoreFunction,
                Groups = Groups,
                SkipThreshold = SkipThreshold,
                SmallestSum = SmallestSum,
                Jitter = Jitter,
                MaskPadding = MaskPadding || !HasCapacity,
            },
            RouterKind.ExpertChoice => new ExpertChoice(ExpertsPerToken, Scope, MaskPadding),
            RouterKind.Soft => throw new InvalidOperationException(SoftChoosesNothing),
            _ => new Unified(ExpertsPerToken, Alpha, Scope, Normalization, MaskPadding),
        };
        if (CapacityFactor is { } factor)
        {
            var capacity = Routing.ExpertCapacity.FromFactor(policy, factor, ExpertsPerToken, Scope, CapacityPriority, MaskPadding, CapacityMultiple);
            policy = capacity.With(DroppedTokens);
        }

        if (ExpertCapacity is { } tokens)
            policy = Routing.ExpertCapacity.FromTokens(policy, tokens, Scope, CapacityPriority, MaskPadding).With(DroppedTokens);
        return policy;
    }

    /// <summary>Why there is nothing to ask of the routers of Soft MoE.</summary>
    internal const string SoftChoosesNothing =
        "With Soft MoE no token is sent to an expert: every expert sees a mean of all. There is nothing that a router chose.";

    private bool HasCapacity => CapacityFactor is not null || ExpertCapacity is not null;

    /// <summary>The router in a few words: <c>Unified, 1.5 experts per token, α 0.5</c>.</summary>
    public override string ToString()
    {
        var text = string.Create(CultureInfo.InvariantCulture, $"{Kind}, {ExpertsPerToken:0.##} {(ExpertsPerToken == 1 ? "expert" : "experts")} per token");
        if (Kind == RouterKind.Soft)
            text = string.Create(CultureInfo.InvariantCulture, $"{Kind}, {SlotsPerExpert} {(SlotsPerExpert == 1 ? "slot" : "slots")} per expert");
        if (Kind == RouterKind.Unified)
            text += string.Create(CultureInfo.InvariantCulture, $", α {Alpha:0.##}");
        if (Kind != RouterKind.TokenChoice && Scope != RoutingScope.Sequence)
            text += $", within {Scope}";
        if (ScoreFunction != ScoreFunction.Softmax)
            text += $", {ScoreFunction}";
        if (Groups is { } groups)
            text += $", {groups.Kept} of {groups.Count} groups";
        if (SkipThreshold > 0)
            text += string.Create(CultureInfo.InvariantCulture, $", skipping below {SkipThreshold:0.##} of the first");
        if (CapacityFactor is { } factor)
            text += string.Create(CultureInfo.InvariantCulture, $", capacity factor {factor:0.##}");
        if (CapacityFactor is not null && CapacityMultiple > 1)
            text += string.Create(CultureInfo.InvariantCulture, $" in multiples of {CapacityMultiple}");
        if (ExpertCapacity is { } tokens)
            text += string.Create(CultureInfo.InvariantCulture, $", at most {tokens} tokens per expert");
        if (Noise > 0)
            text += string.Create(CultureInfo.InvariantCulture, $", noise {Noise:0.##}");
        return Normalization switch
        {
            WeightNormalization.Selected => text + ", weights normalised",
            WeightNormalization.All => text + ", weights normalised over all experts",
            _ => text,
        };
    }

    /// <summary>
    /// The router as a causal model takes it: Unified over whole sequences becomes one over the tokens so far.
    /// </summary>
    /// <exception cref="ArgumentException">Later tokens matter, which is not allowed.</exception>
    internal Router Causal()
    {
        CheckCausal("the model writes text", $"{nameof(Unified)} with {nameof(Scope)} = {nameof(RoutingScope.Prefix)} and no capacity");
        return OfTokensSoFar;
    }

    /// <summary>
    /// Checks that an encoder–decoder can have the router, of which its decoder takes <see cref="OfTokensSoFar"/>; its encoder, which sees whole
    /// texts, could have any.
    /// </summary>
    /// <exception cref="ArgumentException">Later tokens would matter to the decoder, which is not allowed.</exception>
    internal void CheckDecoder() => CheckCausal(
        "the model's decoder writes text",
        $"{nameof(Unified)} without a capacity, which is over whole texts in the encoder and over the tokens so far in the decoder");

    /// <summary>This router, or of Unified over whole sequences the one over the tokens so far, unless looking ahead is allowed.</summary>
    [JsonIgnore]
    internal Router OfTokensSoFar =>
        this is { Kind: RouterKind.Unified, Scope: RoutingScope.Sequence, CapacityFactor: null, ExpertCapacity: null, AllowsLookahead: false }
            ? this with { Scope = RoutingScope.Prefix }
            : this;

    private void CheckCausal(string why, string otherwise)
    {
        if (Kind == RouterKind.Soft)
            throw Refused($"With Soft MoE every slot sees all tokens, later ones too, but {why}: choose another router.", nameof(Router));
        if (!OfTokensSoFar.IsCausal && !AllowsLookahead)
        {
            throw Refused(
                $"With '{this}' later tokens decide about the experts of earlier ones, but {why}. Choose Token Choice or {otherwise}, or set "
                + $"{nameof(AllowsLookahead)} = true.",
                nameof(Router));
        }
    }

    private static ArgumentException Refused(string message, string setting) => new(message, setting);

    private static ArgumentException NoPrefixCapacity(string setting) =>
        new($"A capacity is of whole sequences, which {nameof(Scope)} = {nameof(RoutingScope.Prefix)} does not know.", setting);

    private ArgumentException HasNoEffect(string setting) => HasNoEffect(setting, setting);

    private ArgumentException HasNoEffect(string value, string setting) => new($"{value} has no effect with {Kind}.", setting);
}
