using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe;

/// <summary>How the experts of a mixture are made of a dense feed-forward network; see the methods of <see cref="Upcycling"/>.</summary>
public enum UpcyclingMethod
{
    /// <summary>See <see cref="Upcycling.Copies"/>.</summary>
    Copies,

    /// <summary>See <see cref="Upcycling.VirtualGroups"/>.</summary>
    VirtualGroups,

    /// <summary>See <see cref="Upcycling.Slices"/>.</summary>
    Slices,

    /// <summary>See <see cref="Upcycling.DropUpcycling"/>.</summary>
    DropUpcycling,

    /// <summary>See <see cref="Upcycling.Noise"/>.</summary>
    Noise,
}

/// <summary>What the routers of a new mixture begin with.</summary>
public enum RouterStart
{
    /// <summary>Normally distributed numbers around 0, of <see cref="Upcycling.RouterDeviation"/>.</summary>
    Random,

    /// <summary>
    /// As <see cref="Random"/>, over states from which the mean of the training rows' is taken. States behind a layer normalisation share a large
    /// mean, which would send all tokens to the same experts.
    /// </summary>
    CentredRandom,

    /// <summary>
    /// Clusters of the states of training rows, from which their mean is taken: an expert for each cluster, its logit larger the nearer the
    /// cluster's centre is. The logits' standard deviation is 1.
    /// </summary>
    CentredKMeans,
}

/// <summary>
/// Makes a mixture of experts of a dense published encoder, before it is trained: the feed-forward networks of some blocks become experts with
/// a router (Komatsuzaki et al. 2022, "Sparse upcycling"). Made by <see cref="Copies"/>, <see cref="VirtualGroups"/>, <see cref="Slices"/>,
/// <see cref="DropUpcycling"/> or <see cref="Noise"/>, and changed by <c>with</c>. Every value is checked when it is set. The same seed gives
/// the same mixture.
/// </summary>
/// <example>
/// <code language="csharp"><![CDATA[
/// var upcycling = Upcycling.Copies(experts: 8) with { Blocks = [3, 4, 5] };
/// ]]></code>
/// </example>
public sealed record Upcycling
{
    private const int MostExperts = 1024;
    private const int MostBlocks = 48;

    private Upcycling(UpcyclingMethod method, int experts, Router router)
    {
        Method = method;
        Experts = OptionCheck.Range(experts, 1, MostExperts, nameof(experts));
        Router = router;
    }

    /// <summary>How the experts are made.</summary>
    public UpcyclingMethod Method { get; }

    /// <summary>Experts in a block, E, that of <see cref="Slices"/> which always runs not counted.</summary>
    public int Experts { get; }

    /// <summary>How tokens and experts find each other.</summary>
    /// <exception cref="ArgumentException">It sends a token to more experts than there are.</exception>
    public Router Router
    {
        get;
        init
        {
            ArgumentNullException.ThrowIfNull(value, nameof(Router));
            if (value.Kind == RouterKind.Soft)
                throw new ArgumentException("Soft MoE is trained from the start: choose a router that sends tokens to experts.", nameof(Router));
            field = value.ExpertsPerToken <= Experts ? value : throw new ArgumentOutOfRangeException(
                nameof(Router), value.ExpertsPerToken, $"A token cannot go to {value.ExpertsPerToken} of {Experts} experts.");
        }
    }

    /// <summary>
    /// Every n-th block becomes a mixture: 1 all, 2, the default and usual, every second beginning with the second. Within [1, 48].
    /// <see cref="Blocks"/> goes before it.
    /// </summary>
    public int Every { get; init => field = OptionCheck.Range(value, 1, MostBlocks, nameof(Every)); } = 2;

    /// <summary>Numbers, from 0, of the blocks that become mixtures, at least one; null, the default, for every <see cref="Every"/>-th.</summary>
    /// <exception cref="ArgumentException">It is empty, or a number is negative.</exception>
    public IReadOnlyList<int>? Blocks
    {
        get;
        init => field = value is null ? null
            : value.Count > 0 ? new BlockNumbers(value)
            : throw new ArgumentException($"{nameof(Blocks)} names no block; null stands for every {nameof(Every)}-th.", nameof(Blocks));
    }

    /// <summary>G of <see cref="VirtualGroups"/>: shards of the hidden units; 1 with other methods.</summary>
    public int Granularity { get; private init; } = 1;

    /// <summary>Slices that always run, of <see cref="Slices"/>; 0 with other methods.</summary>
    public int SharedSlices { get; private init; }

    /// <summary>Share of the hidden units that <see cref="DropUpcycling"/> and <see cref="Noise"/> change; 0 with other methods.</summary>
    public double Share { get; private init; }

    /// <summary>What the routers begin with. Default <see cref="RouterStart.Random"/>, which needs no rows.</summary>
    public RouterStart RouterStart { get; init => field = OptionCheck.Defined(value, nameof(RouterStart)); }

    /// <summary>Standard deviation of random router weights, within [0, 100]. 0 makes all experts equal at first. Default 0.02.</summary>
    public float RouterDeviation { get; init => field = OptionCheck.Range(value, 0f, 100f, nameof(RouterDeviation)); } = 0.02f;

    /// <summary>Seed of all that is random. Default 0.</summary>
    public int Seed { get; init; }

    /// <summary>
    /// Every expert is a copy of the dense network (Komatsuzaki et al. 2022). Where a token's weights sum to 1, the mixture computes what the
    /// dense encoder does: with Token Choice that divides them by their sum, or sends tokens to all experts.
    /// </summary>
    /// <param name="experts">E, within [1, 1024]. Default 8.</param>
    /// <param name="router">The router; null, the default, for Token Choice with two experts for each token, weights normalised.</param>
    /// <exception cref="ArgumentException">A value lies outside its range.</exception>
    public static Upcycling Copies(int experts = 8, Router? router = null) => new(UpcyclingMethod.Copies, experts, router ?? TopTwo(experts));

    /// <summary>
    /// The hidden units are cut into G shards, and every G experts hold all of them (arXiv 2410.07524, "virtual group initialization" and
    /// weight scaling). With a router that gives equal weights the mixture computes what the dense encoder does up to the activation, which
    /// scaled weights change.
    /// </summary>
    /// <param name="granularity">G, at least 1. Must divide the experts and the encoder's hidden width.</param>
    /// <param name="experts">E, within [1, 1024]. Default 8.</param>
    /// <param name="router">
    /// The router; k should be a multiple of G. null, the default, for Token Choice with one group, weights as the softmax over all experts has
    /// them; with normalised weights top-k goes before the softmax.
    /// </param>
    /// <exception cref="ArgumentException">A value lies outside its range, or G does not divide the experts.</exception>
    public static Upcycling VirtualGroups(int granularity, int experts = 8, Router? router = null)
    {
        OptionCheck.Range(granularity, 1, MostExperts, nameof(granularity));
        if (experts % granularity != 0)
            throw new ArgumentException($"{experts} experts are no whole number of groups of {granularity}.", nameof(granularity));
        return new(UpcyclingMethod.VirtualGroups, experts, router ?? Router.TokenChoice(granularity, normalizeWeights: false))
        {
            Granularity = granularity,
        };
    }

    /// <summary>
    /// The hidden units are cut into E slices, and some more that always run: the mixture costs less than the dense encoder, and computes what
    /// it does with all experts and equal weights. Outputs are weighted by E·p, or k·p where the router divides the weights by their sum.
    /// </summary>
    /// <param name="experts">E, within [1, 1024]. Default 8. With the shared ones they must divide the encoder's hidden width.</param>
    /// <param name="sharedSlices">Slices that always run, at least 0. Default 0.</param>
    /// <param name="router">
    /// The router; null, the default, for Token Choice with half of the experts, weights as the softmax over all experts has them.
    /// </param>
    /// <exception cref="ArgumentException">A value lies outside its range.</exception>
    public static Upcycling Slices(int experts = 8, int sharedSlices = 0, Router? router = null) =>
        new(UpcyclingMethod.Slices, experts, router ?? Router.TokenChoice((experts + 1) / 2, normalizeWeights: false))
        {
            SharedSlices = OptionCheck.Range(sharedSlices, 0, MostExperts, nameof(sharedSlices)),
        };

    /// <summary>
    /// Copies of which a share of the hidden units is drawn anew, with the mean and deviation of what it replaces (Nakamura et al. 2025,
    /// "Drop-Upcycling"): experts differ from the start, and the encoder has to be trained at length to be as good as before.
    /// </summary>
    /// <param name="share">Share of the units of each matrix, within [0, 1]. Default 0.5, the paper's best.</param>
    /// <param name="experts">E, within [1, 1024]. Default 8.</param>
    /// <param name="router">As for <see cref="Copies"/>.</param>
    /// <exception cref="ArgumentException">A value lies outside its range.</exception>
    public static Upcycling DropUpcycling(double share = 0.5, int experts = 8, Router? router = null) =>
        new(UpcyclingMethod.DropUpcycling, experts, router ?? TopTwo(experts)) { Share = OptionCheck.Range(share, 0.0, 1.0, nameof(share)) };

    /// <summary>
    /// Copies with normally distributed noise, of deviation 0.02, added to a share of the hidden units: the baseline of
    /// <see cref="DropUpcycling"/>.
    /// </summary>
    /// <param name="share">Share of the units of each matrix, within [0, 1]. Default 0.5.</param>
    /// <param name="experts">E, within [1, 1024]. Default 8.</param>
    /// <param name="router">As for <see cref="Copies"/>.</param>
    /// <exception cref="ArgumentException">A value lies outside its range.</exception>
    public static Upcycling Noise(double share = 0.5, int experts = 8, Router? router = null) =>
        new(UpcyclingMethod.Noise, experts, router ?? TopTwo(experts)) { Share = OptionCheck.Range(share, 0.0, 1.0, nameof(share)) };

    /// <summary>Whether the routers begin with what is seen of training rows.</summary>
    internal bool NeedsRows => RouterStart != RouterStart.Random;

    /// <summary>Whether top-k goes before the softmax.</summary>
    internal bool WeightsSumToOne => Router is { Kind: RouterKind.TokenChoice, Normalization: WeightNormalization.Selected };

    /// <summary>The architecture of the mixture.</summary>
    /// <param name="dense">That of the dense encoder.</param>
    /// <exception cref="ArgumentException">It cannot be made a mixture so; the message says why.</exception>
    internal PublishedConfig Apply(PublishedConfig dense)
    {
        if (dense.MoeLayers > 0)
            throw new ArgumentException($"{dense.Architecture} is a mixture of experts already; only dense encoders are upcycled.", nameof(dense));
        if (dense.Layers == 0)
            throw new ArgumentException($"{dense.Architecture} without blocks has no feed-forward networks to upcycle.", nameof(dense));
        var blocks = Blocks ?? [.. Enumerable.Range(0, dense.Layers).Where(block => (block + 1) % Every == 0)];
        if (blocks.Count == 0)
            throw new ArgumentException($"{nameof(Every)} = {Every} leaves none of {dense.Layers} blocks to become a mixture.", nameof(dense));
        if (blocks[^1] >= dense.Layers)
        {
            throw new ArgumentOutOfRangeException(
                nameof(dense), blocks[^1], $"{nameof(Blocks)}: the encoder has {dense.Layers} blocks, numbered from 0.");
        }

        var hidden = dense.FeedForwardWidth;
        var mixture = MixtureOf(hidden);
        return (PublishedConfig)(dense with
        {
            MoeAt = new BlockNumbers(blocks),
            Experts = Experts,
            ExpertWidth = ExpertWidth(hidden),
            DenseWidth = hidden,
            Router = Router,
            Mixture = mixture == new MixtureConfig() ? null : mixture,
        }).Check();
    }

    /// <summary>Hidden width of an expert.</summary>
    /// <param name="hidden">That of the dense network.</param>
    /// <exception cref="ArgumentException">It cannot be divided so.</exception>
    internal int ExpertWidth(int hidden)
    {
        var parts = Method == UpcyclingMethod.Slices ? Experts + SharedSlices : Granularity;
        return hidden % parts == 0 ? hidden / parts : throw new ArgumentException(
            $"Feed-forward networks of width {hidden} cannot be cut into {parts} equal parts.", nameof(hidden));
    }

    private static Router TopTwo(int experts) => Router.TokenChoice(Math.Clamp(experts, 1, 2), normalizeWeights: true);

    /// <summary>What the MoE layers have beside router and experts.</summary>
    /// <param name="hidden">Hidden width of the dense network.</param>
    internal MixtureConfig MixtureOf(int hidden)
    {
        var mixture = new MixtureConfig { HasRouterBias = NeedsRows };
        return Method != UpcyclingMethod.Slices ? mixture : mixture with
        {
            SharedWidth = SharedSlices * ExpertWidth(hidden),
            SharesSecondBias = true,
            RoutedScale = WeightsSumToOne ? (float)Router.ExpertsPerToken : Experts,
        };
    }
}
