using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>What must hold for every policy on any input; each case is a random batch with ties, extremes and padding.</summary>
public class PolicyPropertyTests
{
    public static TheoryData<int> Seeds { get; } = [.. Enumerable.Range(0, 60)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void UnifiedSelectsTheLargestScoresOfEachGroup(int seed)
    {
        var batch = RandomBatch.Create(seed);
        foreach (var scope in Enum.GetValues<RoutingScope>())
        {
            var plan = new Unified(batch.Budget, batch.Alpha, scope).Route(batch.LogitsTE, batch.Experts, batch.Layout, training: true);
            var selected = Selected(plan, batch);
            var scores = Scores(batch, batch.Alpha);
            foreach (var group in RoutingGroups.Of(batch.Layout, scope, maskPadding: true))
            {
                var entries = group.SelectMany(t => Enumerable.Range(t * batch.Experts, batch.Experts)).ToArray();
                var chosen = entries.Where(i => selected[i]).ToArray();
                Assert.Equal(Math.Min(entries.Length, (int)Math.Floor(Math.Round(group.Length * batch.Budget, 9))), chosen.Length);
                foreach (var left in entries.Where(i => !selected[i]))
                    Assert.All(chosen, taken => Assert.True(
                        scores[taken] > scores[left] || (scores[taken] == scores[left] && taken < left)));
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void UnifiedIsOptimalByBruteForce(int seed)
    {
        // Proposition 3.1: the top-c of S maximises Σ S·x subject to Σ x ≤ c; all 2^(T·N) choices of x are tried.
        const int tokens = 4, experts = 3, budget = 5;
        var random = new Random(seed);
        float[] logits = [.. Enumerable.Range(0, tokens * experts).Select(_ => random.NextSingle() * 6 - 3)];
        var batch = new RandomBatch(logits, experts, new SequenceLayout([0, tokens]), (double)budget / tokens, 0.4);
        var scores = Scores(batch, batch.Alpha);
        var best = Enumerable.Range(0, 1 << (tokens * experts))
            .Where(x => System.Numerics.BitOperations.PopCount((uint)x) <= budget)
            .Max(x => Enumerable.Range(0, scores.Length).Where(i => (x >> i & 1) == 1).Sum(i => scores[i]));

        var plan = new Unified(batch.Budget, batch.Alpha).Route(logits, experts, batch.Layout, training: false);

        Assert.Equal(best, Selected(plan, batch).Select((s, i) => s ? scores[i] : 0).Sum(), 1e-9);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void UnifiedOnOneTokenChoosesLikeTokenChoice(int seed)
    {
        var batch = RandomBatch.Create(seed);
        var k = 1 + seed % batch.Experts;
        var one = new SequenceLayout([0, 1]);
        var logits = batch.LogitsTE.AsSpan(0, batch.Experts).ToArray();
        if (logits.Distinct().Count() < logits.Length || logits.Any(l => Math.Abs(l) > 30))
            return; // with ties, or scores that differ by less than a rounding error, either choice is right

        var unified = new Unified(k, batch.Alpha).Route(logits, batch.Experts, one, training: false);
        var tokenChoice = new TokenChoice(k, normalizeWeights: false).Route(logits, batch.Experts, one, training: false);

        Assert.All(Enumerable.Range(0, batch.Experts), e => Assert.Equal(tokenChoice.TokensOf(e), unified.TokensOf(e)));
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void ExpertChoiceFillsEveryExpertWithItsBestTokens(int seed)
    {
        var batch = RandomBatch.Create(seed);
        var plan = new ExpertChoice(batch.Budget).Route(batch.LogitsTE, batch.Experts, batch.Layout, training: true);
        var selected = Selected(plan, batch);
        var probabilities = Scores(batch, 0);
        foreach (var group in RoutingGroups.Of(batch.Layout, RoutingScope.Sequence, maskPadding: true))
            for (var e = 0; e < batch.Experts; e++)
            {
                var chosen = group.Where(t => selected[t * batch.Experts + e]).ToArray();
                Assert.Equal(Math.Min(group.Length, (int)Math.Ceiling(Math.Round(group.Length * batch.Budget, 9) / batch.Experts)), chosen.Length);
                foreach (var left in group.Except(chosen))
                    Assert.All(chosen, t => Assert.True(
                        probabilities[t * batch.Experts + e] > probabilities[left * batch.Experts + e]
                        || (probabilities[t * batch.Experts + e] == probabilities[left * batch.Experts + e] && t < left)));
            }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void TheWorkspaceOnlyAddsAndOnlyWhenTraining(int seed)
    {
        var batch = RandomBatch.Create(seed);
        var inner = new TokenChoice(1, normalizeWeights: false);
        var threshold = 0.5 * Math.Log(batch.Experts);
        var policy = new GlobalWorkspace(inner, threshold, maxTokensPerSequence: 2);

        var plain = Selected(inner.Route(batch.LogitsTE, batch.Experts, batch.Layout, training: true), batch);
        var plan = policy.Route(batch.LogitsTE, batch.Experts, batch.Layout, training: true);
        var trained = Selected(plan, batch);
        var scored = policy.Route(batch.LogitsTE, batch.Experts, batch.Layout, training: false);

        Assert.Equal(plain, Selected(scored, batch));
        Assert.DoesNotContain(Enumerable.Range(0, batch.Layout.Tokens), scored.IsBroadcast);
        for (var t = 0; t < batch.Layout.Tokens; t++)
        {
            var row = trained[(t * batch.Experts)..((t + 1) * batch.Experts)];
            if (plan.IsBroadcast(t))
                Assert.DoesNotContain(false, row);
            else
                Assert.Equal(plain[(t * batch.Experts)..((t + 1) * batch.Experts)], row);
        }

        for (var s = 0; s < batch.Layout.Sequences; s++)
        {
            var uncertain = Enumerable.Range(batch.Layout.Offsets[s], batch.Layout.Offsets[s + 1] - batch.Layout.Offsets[s])
                .Where(t => batch.Layout.IsToken(t) && RouterEntropy.Of(batch.LogitsTE.AsSpan(t * batch.Experts, batch.Experts)) >= threshold);
            Assert.Equal(uncertain.Take(2), Enumerable.Range(batch.Layout.Offsets[s], batch.Layout.Offsets[s + 1] - batch.Layout.Offsets[s])
                .Where(plan.IsBroadcast));
        }
    }

    [Fact]
    public void AFractionOfAnExpertLeavesTokensWithout()
    {
        var plan = new Unified(0.5).Route([5, 0, /**/ 0, 0, /**/ 4, 0, /**/ 0, 0], 2, new SequenceLayout([0, 4]), training: false);

        Assert.Equal([0, 2], plan.TokensOf(0));
        Assert.Empty(plan.TokensOf(1).ToArray());
    }

    [Fact]
    public void PaddingCompetesOnlyWhenAsked()
    {
        var layout = new SequenceLayout([0, 2], [true, false]);
        float[] logits = [0, 0, /**/ 5, 5];

        Assert.Equal([0], new Unified(1, maskPadding: true).Route(logits, 2, layout, training: false).TokensOf(0));
        Assert.Equal([1], new Unified(1, maskPadding: false).Route(logits, 2, layout, training: false).TokensOf(0));
    }

    [Theory]
    [InlineData(0, 0.5)]
    [InlineData(-1, 0.5)]
    [InlineData(double.NaN, 0.5)]
    [InlineData(1, 1.5)]
    [InlineData(1, double.NaN)]
    public void ImpossibleSettingsAreRefused(double k, double alpha) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new Unified(k, alpha));

    private static bool[] Selected(RoutingPlan plan, RandomBatch batch)
    {
        var selected = new bool[batch.LogitsTE.Length];
        for (var e = 0; e < batch.Experts; e++)
            foreach (var t in plan.TokensOf(e))
                selected[t * batch.Experts + e] = true;
        return selected;
    }

    private static double[] Scores(RandomBatch batch, double alpha)
    {
        var scores = new double[batch.LogitsTE.Length];
        for (var t = 0; t < batch.Layout.Tokens; t++)
            RouterScores.Unified(batch.LogitsTE.AsSpan(t * batch.Experts, batch.Experts), alpha, scores.AsSpan(t * batch.Experts, batch.Experts));
        return scores;
    }
}
