using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

public class RandomExpertsTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void UncertainTokensKeepTheNumberOfTheirExpertsAndOthersTheExperts(bool training) => RandomBatch.ForAll(batch =>
    {
        var threshold = 0.5 * Math.Log(batch.Experts);
        foreach (var (_, inner) in Policies.Plain(batch))
        {
            var expected = batch.Route(inner, training);

            var plan = batch.Route(new RandomExperts(inner, threshold), training);

            for (var t = 0; t < plan.Tokens; t++)
            {
                var isUncertain = batch.Layout.IsToken(t) && RouterEntropy.Of(batch.Logits(t)) >= threshold;
                Assert.Equal(ExpertsOf(expected, t).Count(), ExpertsOf(plan, t).Count());
                if (!isUncertain)
                    Assert.Equal(ExpertsOf(expected, t), ExpertsOf(plan, t));
            }

            Assert.Equal(expected.Weights, plan.Weights);
        }
    });

    [Fact]
    public void EveryExpertIsDrawnAboutEquallyOftenAndAnotherSeedDrawsOthers()
    {
        const int tokens = 4000, experts = 5;
        var (logits, layout) = Uncertain(tokens, experts);
        var inner = new TokenChoice(2, normalizeWeights: true);
        int[] Draw(int seed) => [.. Enumerable.Range(0, experts).SelectMany(e => new RandomExperts(inner, 0.5, seed: seed)
            .Route(logits, experts, layout, training: false).TokensOf(e).ToArray().Select(t => t * experts + e))];

        var first = Draw(1);
        var second = Draw(2);

        Assert.All(first.CountBy(i => i % experts), e => Assert.InRange(e.Value, 1450, 1750)); // 1600 ± 5 standard deviations
        Assert.InRange(first.Intersect(second).Count(), 3000, 3400); // 2/5 of 8000 by chance
    }

    [Fact]
    public void ArbitraryTokensAreAsMany()
    {
        // the first 30 of 100 tokens are uncertain
        const int experts = 4;
        var (logits, layout) = Uncertain(100, experts);
        for (var t = 30; t < 100; t++)
            logits[t * experts] += 9;
        var inner = new TokenChoice(1, normalizeWeights: false);
        var plan = new RandomExperts(inner, 1, GlobalWorkspaceTokens.Random).Route(logits, experts, layout, training: false);
        var expected = inner.Route(logits, experts, layout, training: false);

        var changed = Enumerable.Range(0, 100).Where(t => !ExpertsOf(plan, t).SequenceEqual(ExpertsOf(expected, t))).ToArray();

        Assert.InRange(changed.Length, 15, 30); // 3/4 of 30 by chance
        Assert.Contains(changed, t => t >= 30);
    }

    [Fact]
    public void ANumberIsAskedFor() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new RandomExperts(new TokenChoice(1, false), double.NaN));

    private static (float[] LogitsTE, SequenceLayout Layout) Uncertain(int tokens, int experts)
    {
        var random = new Random(7);
        return ([.. Enumerable.Range(0, tokens * experts).Select(_ => random.NextSingle() / 10)], new SequenceLayout([0, tokens]));
    }

    private static IEnumerable<int> ExpertsOf(RoutingPlan plan, int token) =>
        Enumerable.Range(0, plan.Experts).Where(e => plan.TokensOf(e).Contains(token));
}
