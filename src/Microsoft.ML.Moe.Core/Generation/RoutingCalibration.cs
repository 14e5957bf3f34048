using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Generation;

/// <summary>A router, and how well a language model tells texts by it.</summary>
/// <param name="Router">The router.</param>
/// <param name="Score">What was measured; <see cref="TextScore.ExpertsPerToken"/> tells what it costs.</param>
public sealed record RouterScore(Router Router, TextScore Score);

/// <summary>
/// Finds the router by which a trained mixture, without training, loses least at a wanted cost: Token Choice that skips experts far behind the
/// first (Lu et al. 2024, arXiv 2402.14800), and Unified over the tokens so far (USMoE, arXiv 2503.22996) with several shares of the experts'
/// view and normalisations.
/// </summary>
internal static class RoutingCalibration
{
    /// <summary>A router may cost so much more than is wanted.</summary>
    private const double Tolerance = 1.01;

    private static readonly double[] Alphas = [0, 0.1, 0.3, 0.5];

    /// <summary>Measures routers.</summary>
    /// <param name="model">The model.</param>
    /// <param name="texts">Ids and characters of the texts; read several times.</param>
    /// <param name="expertsPerToken">Mean number of experts that a token may be sent to.</param>
    /// <param name="maximumTokens">See <see cref="TextScoring.Measure"/>.</param>
    /// <param name="stop">Ends it, with an exception.</param>
    /// <returns>
    /// Routers that cost no more than is wanted, those with the least loss first; the model's own among them, or alone where none costs so
    /// little.
    /// </returns>
    public static IReadOnlyList<RouterScore> Find(
        Model<EncodedText> model,
        IReadOnlyList<(int[] Ids, int Characters)> texts,
        double expertsPerToken,
        int? maximumTokens,
        CancellationToken stop)
    {
        model.Config.Encoder.CheckRoutes();
        if (!(expertsPerToken >= 1 && expertsPerToken <= model.Experts))
        {
            throw new ArgumentOutOfRangeException(
                nameof(expertsPerToken), expertsPerToken, $"A token is sent to 1 expert at least and to {model.Experts} at most.");
        }

        var scores = new List<RouterScore>();
        var own = Add(model.Router);
        foreach (var router in TokenChoices(model, texts, expertsPerToken, maximumTokens, stop))
            Add(router);
        WeightNormalization[] normalizations = [WeightNormalization.Selected, .. model.Router.Normalization == WeightNormalization.Selected
            ? Array.Empty<WeightNormalization>()
            : [WeightNormalization.None]];
        foreach (var normalization in normalizations)
            foreach (var alpha in Alphas)
                AddUnified(Router.Unified(expertsPerToken, alpha, RoutingScope.Prefix, normalization));
        var cheap = scores.Where(s => s.Score.ExpertsPerToken <= expertsPerToken * Tolerance).OrderBy(s => s.Score.Loss).ToList();
        return cheap.Count > 0 ? cheap : [own];

        RouterScore Add(Router router)
        {
            scores.Add(new RouterScore(router, TextScoring.Measure(model.WithRouting(router), texts, maximumTokens, observer: null, stop)));
            return scores[^1];
        }

        // the pairs of a prefix are near T·k, not exactly: one correction
        void AddUnified(Router router)
        {
            var given = Add(router).Score.ExpertsPerToken;
            if (given > expertsPerToken * Tolerance)
                Add(router with { ExpertsPerToken = router.ExpertsPerToken * expertsPerToken / given });
        }
    }

    private static IEnumerable<Router> TokenChoices(
        Model<EncodedText> model, IReadOnlyList<(int[] Ids, int Characters)> texts, double expertsPerToken, int? maximumTokens, CancellationToken stop)
    {
        if (model.Router is not { Kind: RouterKind.TokenChoice, ScoreFunction: ScoreFunction.Softmax } own)
            yield break;
        if (own.ExpertsPerToken <= expertsPerToken)
            yield break;
        yield return own with { ExpertsPerToken = Math.Floor(expertsPerToken) };
        var ratios = new FurtherExperts((int)own.ExpertsPerToken);
        TextScoring.Measure(model, texts, maximumTokens, ratios, stop);
        yield return own with { SkipThreshold = ratios.ThresholdFor(expertsPerToken) };
    }

    /// <summary>How far the experts after a token's first are behind it: pⱼ/p₁.</summary>
    private sealed class FurtherExperts(int expertsPerToken) : IRoutingObserver
    {
        private readonly List<float> _ratios = [];
        private long _tokens;

        /// <inheritdoc/>
        public void OnRouted(RoutedLayer layer)
        {
            var experts = layer.Plan.Experts;
            var logitsTE = layer.LogitsTE.ToArray();
            for (var token = 0; token < layer.Layout.Tokens; token++)
            {
                _tokens++;
                float[] best = [.. logitsTE.AsSpan(token * experts, experts).ToArray().OrderDescending().Take(expertsPerToken)];
                _ratios.AddRange(best.Skip(1).Select(logit => MathF.Exp(logit - best[0])));
            }
        }

        /// <summary>The threshold at which a token has so many experts on average.</summary>
        public double ThresholdFor(double wanted)
        {
            _ratios.Sort();
            var kept = (long)Math.Max(0, (wanted - 1) * _tokens);
            var skipped = Math.Clamp(_ratios.Count - kept, 0, _ratios.Count - 1);
            return Math.Min(1, Math.BitIncrement((double)_ratios[(int)skipped]));
        }
    }
}
