using System.Numerics;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>What must hold on any batch for what each policy chooses.</summary>
public class PolicyPropertyTests
{
    [Theory]
    [InlineData(RoutingScope.Sequence)]
    [InlineData(RoutingScope.TimeStep)]
    [InlineData(RoutingScope.Batch)]
    public void UnifiedSelectsTheLargestScoresOfEachGroup(RoutingScope scope) => RandomBatch.ForAll(batch =>
    {
        var pairs = batch.Pairs(batch.Route(new Unified(batch.Budget, batch.Alpha, scope)));
        var scores = batch.Scores(batch.Alpha);

        var expected = batch.Groups(scope).SelectMany(group => group
            .SelectMany(t => Enumerable.Range(t * batch.Experts, batch.Experts))
            .OrderByDescending(i => scores[i])
            .Take((int)Math.Floor(Math.Round(group.Length * batch.Budget, 9))));

        Assert.Equal(expected.Order(), pairs);
    });

    [Fact]
    public void UnifiedIsOptimalByBruteForce() => RandomBatch.ForAll(
        batch =>
        {
            // Proposition 3.1: the top-c of S maximises Σ S·x subject to Σ x ≤ c; all 2^(T·N) choices of x are tried.
            var scores = batch.Scores(batch.Alpha);
            var real = batch.RealTokens.SelectMany(t => Enumerable.Range(t * batch.Experts, batch.Experts)).Aggregate(0, (x, i) => x | 1 << i);
            var budget = (int)Math.Floor(Math.Round(batch.RealTokens.Count() * batch.Budget, 9));
            var best = 0.0;
            for (var x = 0; x < 1 << scores.Length; x++)
            {
                if ((x & ~real) == 0 && BitOperations.PopCount((uint)x) <= budget)
                    best = Math.Max(best, Enumerable.Range(0, scores.Length).Where(i => (x >> i & 1) == 1).Sum(i => scores[i]));
            }

            var pairs = batch.Pairs(batch.Route(new Unified(batch.Budget, batch.Alpha)));

            Assert.Equal(best, pairs.Sum(i => scores[i]), 1e-9);
        },
        RandomBatch.Tiny,
        count: 60);

    [Fact]
    public void UnifiedOnOneTokenChoosesLikeTokenChoice() => RandomBatch.ForAll(
        batch =>
        {
            var k = 1 + (int)batch.Budget % batch.Experts;
            var one = new SequenceLayout([0, 1]);

            var unified = new Unified(k, batch.Alpha).Route(batch.Logits(0), batch.Experts, one, training: false);
            var tokenChoice = new TokenChoice(k, normalizeWeights: false).Route(batch.Logits(0), batch.Experts, one, training: false);

            Assert.Equal(batch.Pairs(tokenChoice), batch.Pairs(unified));
        },
        RandomBatch.WithoutTies);

    [Theory]
    [InlineData(RoutingScope.Sequence)]
    [InlineData(RoutingScope.TimeStep)]
    [InlineData(RoutingScope.Batch)]
    public void ExpertChoiceFillsEveryExpertWithItsBestTokens(RoutingScope scope) => RandomBatch.ForAll(batch =>
    {
        var pairs = batch.Pairs(batch.Route(new ExpertChoice(batch.Budget, scope)));
        var probabilities = batch.Probabilities;

        var expected = batch.Groups(scope).SelectMany(group => Enumerable.Range(0, batch.Experts).SelectMany(e => group
            .Select(t => t * batch.Experts + e)
            .OrderByDescending(i => probabilities[i])
            .Take((int)Math.Ceiling(Math.Round(group.Length * batch.Budget, 9) / batch.Experts))));

        Assert.Equal(expected.Order(), pairs);
    });

    [Fact]
    public void TokenChoiceTakesTheBestExpertsOfEveryToken() => RandomBatch.ForAll(batch =>
    {
        var k = Math.Min(batch.Experts, (int)Math.Ceiling(batch.Budget));

        var pairs = batch.Pairs(batch.Route(new TokenChoice(k, normalizeWeights: true)));

        var expected = batch.RealTokens.SelectMany(t => Enumerable.Range(t * batch.Experts, batch.Experts)
            .OrderByDescending(i => batch.LogitsTE[i])
            .Take(k));
        Assert.Equal(expected.Order(), pairs);
    });

    [Fact]
    public void PaddingNeverChangesWhatATokenGets() => RandomBatch.ForAll(batch =>
    {
        int[] real = [.. batch.RealTokens];
        var bare = batch.Take(real, masked: false);
        foreach (var (name, policy) in Policies.All(batch))
        {
            // positions count from the start of a sequence, padding included
            if (name.Contains("TimeStep", StringComparison.Ordinal) && !batch.IsPaddedAtTheEnd)
                continue;
            var plan = batch.Route(policy);
            var expected = bare.Pairs(bare.Route(policy)).Select(i => real[i / batch.Experts] * batch.Experts + i % batch.Experts);
            Assert.True(expected.SequenceEqual(batch.Pairs(plan)), name);
        }
    });

    [Fact]
    public void PermutingTokensPermutesThePlan() => RandomBatch.ForAll(
        batch =>
        {
            var random = new Random(batch.LogitsTE.Length);
            int[] order = [.. Enumerable.Range(0, batch.Layout.Sequences).SelectMany(s =>
                Enumerable.Range(batch.Layout.Offsets[s], batch.Layout.Offsets[s + 1] - batch.Layout.Offsets[s]).OrderBy(_ => random.Next()))];
            var shuffled = batch.Take(order, masked: true);
            foreach (var (name, policy) in Policies.WithoutRegardToPosition(batch))
            {
                var expected = batch.Pairs(batch.Route(policy));
                var actual = shuffled.Pairs(shuffled.Route(policy)).Select(i => order[i / batch.Experts] * batch.Experts + i % batch.Experts);
                Assert.True(expected.SequenceEqual(actual.Order()), name);
            }
        },
        RandomBatch.WithoutTies);

    [Fact]
    public void SequencesDoNotDependOnTheirBatchMates() => RandomBatch.ForAll(batch =>
    {
        foreach (var (name, policy) in Policies.All(batch).Where(p => p.Name.Contains("Sequence", StringComparison.Ordinal)))
        {
            var together = batch.Pairs(batch.Route(policy));
            for (var s = 0; s < batch.Layout.Sequences; s++)
            {
                var (start, end) = (batch.Layout.Offsets[s], batch.Layout.Offsets[s + 1]);
                var alone = batch.Take([.. Enumerable.Range(start, end - start)], masked: true);
                var expected = alone.Pairs(alone.Route(policy)).Select(i => i + start * batch.Experts);
                Assert.True(expected.SequenceEqual(together.Where(i => i / batch.Experts >= start && i / batch.Experts < end)), name);
            }
        }
    });

    [Fact]
    public void RunsOfSequencesChosenApartMakeThePlanOfAll() => RandomBatch.ForAll(batch =>
    {
        foreach (var (name, policy) in Policies.All(batch))
        {
            var isOfSequences = name.Contains(nameof(RoutingScope.Sequence), StringComparison.Ordinal)
                || name.Contains(nameof(RoutingScope.Prefix), StringComparison.Ordinal);
            Assert.Equal(isOfSequences, policy.RoutesSequencesApart);
            if (!policy.RoutesSequencesApart)
                continue;
            var expected = batch.Route(policy);
            var plan = new RoutingPlan();
            for (var cut = 0; cut <= batch.Layout.Sequences; cut++)
            {
                var first = batch.Layout.Part(0, cut, new SequenceLayout());
                var second = batch.Layout.Part(cut, batch.Layout.Sequences - cut, new SequenceLayout());
                var memory = new bool[PairMatrix.LengthOf(batch.Layout.Tokens, batch.Experts)];
                Array.Fill(memory, true);
                var pairs = new PairMatrix(memory, batch.Layout.Tokens, batch.Experts);
                var logits = first.Tokens * batch.Experts;
                var rest = pairs.Slice(first.Tokens, second.Tokens);
                var scratch = new RoutingScratch(new byte[policy.ScratchBytes(batch.Layout.Tokens, batch.Experts)]);
                var terms = policy.Choose(batch.LogitsTE.AsSpan(0, logits), [], first, training: true, pairs.Slice(0, first.Tokens), scratch);
                pairs.ToPlan(terms.With(policy.Choose(batch.LogitsTE.AsSpan(logits), [], second, training: true, rest, scratch)), plan);

                AssertEqual(name, expected, plan);
            }
        }
    });

    [Fact]
    public void APolicyThatOnlyRoutesIsCopiedPairByPair() => RandomBatch.ForAll(batch =>
    {
        foreach (var (name, policy) in Policies.All(batch))
        {
            var pairs = new PairMatrix(new bool[PairMatrix.LengthOf(batch.Layout.Tokens, batch.Experts)], batch.Layout.Tokens, batch.Experts);
            var terms = new Foreign(policy).Choose(batch.LogitsTE, [], batch.Layout, training: true, pairs, scratch: default);

            AssertEqual(name, batch.Route(policy), pairs.ToPlan(terms, new RoutingPlan()));
        }
    });

    [Fact]
    public void APolicyWhosePlanDoesNotFitIsRefused()
    {
        var other = new TokenChoice(1, false).Route([1, 2], 2, new SequenceLayout([0, 1]), training: false);

        Assert.Throws<ArgumentException>(() => new PairMatrix(new bool[9], 3, 2).Take(other));
        Assert.Throws<ArgumentException>(() => new PairMatrix(new bool[9], 1, 3).Take(other));
    }

    [Fact]
    public void AnEngineWithManyThreadsRoutesAsThePolicyDoes()
    {
        var random = new Random(5);
        var lengths = Enumerable.Range(0, 200).Select(_ => random.Next(1, 40)).ToArray();
        int[] offsets = [0, .. lengths.Select((_, i) => lengths[..(i + 1)].Sum())];
        var logitsTE = Enumerable.Range(0, offsets[^1] * 8).Select(_ => random.NextSingle()).ToArray();
        var layout = new SequenceLayout(offsets);
        using var engine = new ManagedEngine(3);
        using var tape = engine.BeginTape(training: true);
        foreach (var policy in new RoutingPolicy[] { new TokenChoice(2, true), new Unified(1.5), new GlobalWorkspace(new ExpertChoice(2), 2.05) })
        {
            var plan = tape.Route(tape.Constant(logitsTE, offsets[^1], 8), policy, layout);

            var expected = policy.Route(logitsTE, 8, layout, training: true);
            Assert.Equal(expected.ExpertOffsets, plan.ExpertOffsets);
            Assert.Equal(expected.PairTokens, plan.PairTokens);
        }
    }

    [Fact]
    public void TheSameBatchAlwaysGetsTheSamePlan() => RandomBatch.ForAll(batch =>
    {
        foreach (var (name, policy) in Policies.All(batch))
            Assert.True(batch.Pairs(batch.Route(policy)).SequenceEqual(batch.Pairs(batch.Route(policy))), name);
    });

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

    /// <summary>The gates of the published example with capacity 2, brought to sums of 1 by softmax; see also <see cref="ScoreCutTests"/>.</summary>
    [Fact]
    public void ExpertChoiceAgreesWithThePublishedExample()
    {
        float[] gates = [.4f, 0, .2f, /**/ .5f, .1f, .4f, /**/ .3f, .2f, .6f];

        var plan = new ExpertChoice(2).Route(Array.ConvertAll(gates, MathF.Log), 3, new SequenceLayout([0, 3]), training: false);

        Assert.Equal([0, 1], plan.TokensOf(0));
        Assert.Equal([1, 2], plan.TokensOf(1));
        Assert.Equal([1, 2], plan.TokensOf(2));
    }

    [Theory]
    [InlineData(0, 0.5)]
    [InlineData(-1, 0.5)]
    [InlineData(double.NaN, 0.5)]
    [InlineData(1, 1.5)]
    [InlineData(1, double.NaN)]
    public void ImpossibleSettingsAreRefused(double k, double alpha) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new Unified(k, alpha));

    private static void AssertEqual(string name, RoutingPlan expected, RoutingPlan actual)
    {
        Assert.True(expected.ExpertOffsets.SequenceEqual(actual.ExpertOffsets), name);
        Assert.True(expected.PairTokens.SequenceEqual(actual.PairTokens), name);
        Assert.True(expected.ByToken.Sorted.SequenceEqual(actual.ByToken.Sorted), name);
        Assert.Equal((expected.Tokens, expected.Weights, expected.DroppedPairs), (actual.Tokens, actual.Weights, actual.DroppedPairs));
        Assert.All(Enumerable.Range(0, expected.Tokens), t => Assert.Equal(expected.IsBroadcast(t), actual.IsBroadcast(t)));
    }

    /// <summary>A policy as others write them: it only routes.</summary>
    private sealed class Foreign(RoutingPolicy inner) : RoutingPolicy
    {
        public override RoutingPlan Route(ReadOnlySpan<float> logitsTE, int experts, SequenceLayout layout, bool training) =>
            inner.Route(logitsTE, experts, layout, training);
    }
}
