using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Generation;

/// <summary>
/// What it costs a model that writes when some tokens get random experts instead of their own (GW-MoE, arXiv 2406.12375, figure 1). Where
/// <see cref="Uncertain"/> is no worse than <see cref="Arbitrary"/>, which experts an uncertain token gets does not matter more than for any
/// other; where it is near <see cref="Own"/>, it does not matter at all.
/// </summary>
/// <param name="Threshold">H* as a share of the largest entropy, ln N.</param>
/// <param name="UncertainShare">Share of the tokens of all MoE layers with H ≥ H*, with their own experts, within [0, 1].</param>
/// <param name="Own">The texts with the tokens' own experts.</param>
/// <param name="Uncertain">… with random experts for the uncertain tokens.</param>
/// <param name="Arbitrary">… with random experts for as many arbitrary tokens of each sequence.</param>
public sealed record RandomExpertsScore(
    double Threshold, double UncertainShare, TextScore Own, TextScore Uncertain, TextScore Arbitrary);

/// <summary>Measures a model with random experts for some of its tokens; see <see cref="RandomExpertsScore"/>.</summary>
internal static class RandomExpertsAnalysis
{
    /// <summary>Measures a model.</summary>
    /// <param name="model">The model, a mixture.</param>
    /// <param name="thresholds">H* as shares of the largest entropy, ln N, each within [0, 1].</param>
    /// <param name="seed">Seed of experts and of arbitrary tokens.</param>
    /// <param name="measure">Measures a model on the texts, and shows an observer what is routed.</param>
    /// <returns>A result for each threshold, in their order.</returns>
    /// <exception cref="ArgumentException">There are no thresholds, or one is out of its range.</exception>
    /// <exception cref="InvalidOperationException">The model has no MoE layers.</exception>
    public static IReadOnlyList<RandomExpertsScore> Run(
        Model<EncodedText> model,
        IReadOnlyList<double> thresholds,
        int seed,
        Func<Model<EncodedText>, IRoutingObserver?, TextScore> measure)
    {
        ArgumentNullException.ThrowIfNull(thresholds);
        model.Config.CheckRoutes();
        if (thresholds.Count == 0)
            throw new ArgumentException("There are no thresholds to compare at.", nameof(thresholds));
        foreach (var threshold in thresholds)
            OptionCheck.Range(threshold, 0, 1, nameof(thresholds));
        double[] nats = [.. thresholds.Select(threshold => threshold * Math.Log(model.Experts))];
        var shares = new UncertainShares(nats);
        var own = measure(model, shares);
        return
        [
            .. thresholds.Select((threshold, i) => new RandomExpertsScore(
                threshold,
                shares.ShareOf(i),
                own,
                measure(With(nats[i], GlobalWorkspaceTokens.Uncertain), null),
                measure(With(nats[i], GlobalWorkspaceTokens.Random), null))),
        ];

        Model<EncodedText> With(double threshold, GlobalWorkspaceTokens tokens) =>
            model.WithPolicies((block, policy) => new RandomExperts(policy, threshold, tokens, seed + block));
    }

    /// <summary>Counts tokens by thresholds.</summary>
    private sealed class UncertainShares(double[] thresholds) : IRoutingObserver
    {
        private readonly long[] _uncertain = new long[thresholds.Length];
        private long _tokens;

        public double ShareOf(int threshold) => Share.Of(_uncertain[threshold], _tokens);

        public void OnRouted(RoutedLayer layer)
        {
            var experts = layer.Plan.Experts;
            var logitsTE = layer.LogitsTE.ToArray();
            for (var token = 0; token < layer.Layout.Tokens; token++)
            {
                if (!layer.Layout.IsToken(token))
                    continue;
                var entropy = RouterEntropy.Of(logitsTE.AsSpan(token * experts, experts));
                _tokens++;
                for (var i = 0; i < thresholds.Length; i++)
                    _uncertain[i] += thresholds[i] <= 0 || entropy >= thresholds[i] ? 1 : 0;
            }
        }
    }
}
