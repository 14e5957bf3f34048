using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tests.Routing;

public class GlobalWorkspaceTests
{
    private const int Slots = 2;

    [Fact]
    public void PredictionIsTheInnerPolicysPlan() => RandomBatch.ForAll(batch =>
    {
        foreach (var (_, inner) in Policies.Plain(batch))
        {
            var plan = batch.Route(new GlobalWorkspace(inner, 0), training: false);
            Assert.Equal(batch.Pairs(batch.Route(inner, training: false)), batch.Pairs(plan));
            Assert.DoesNotContain(Enumerable.Range(0, plan.Tokens), plan.IsBroadcast);
        }
    });

    [Fact]
    public void AThresholdOverLnNLeavesThePlanAsItIs() => RandomBatch.ForAll(batch =>
    {
        foreach (var (_, inner) in Policies.Plain(batch))
        {
            var plan = batch.Route(new GlobalWorkspace(inner, Math.Log(batch.Experts) + 1e-3));
            Assert.Equal(batch.Pairs(batch.Route(inner)), batch.Pairs(plan));
            Assert.DoesNotContain(Enumerable.Range(0, plan.Tokens), plan.IsBroadcast);
        }
    });

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    public void AThresholdOfZeroOrLessSendsEveryTokenToAllExperts(double threshold) => RandomBatch.ForAll(batch =>
    {
        foreach (var (_, inner) in Policies.Plain(batch))
        {
            var pairs = batch.Pairs(batch.Route(new GlobalWorkspace(inner, threshold)));
            Assert.Equal(batch.RealTokens.SelectMany(t => Enumerable.Range(t * batch.Experts, batch.Experts)), pairs);
        }
    });

    [Fact]
    public void TheFirstUncertainTokensOfASequenceAreBroadcastAndNobodyElseIsTouched() => RandomBatch.ForAll(batch =>
    {
        var threshold = 0.5 * Math.Log(batch.Experts);
        foreach (var (_, inner) in Policies.Plain(batch))
        {
            var plan = batch.Route(new GlobalWorkspace(inner, threshold, Slots));

            for (var s = 0; s < batch.Layout.Sequences; s++)
            {
                Assert.Equal(
                    batch.RealTokensOf(s).Where(t => RouterEntropy.Of(batch.Logits(t)) >= threshold).Take(Slots),
                    batch.RealTokensOf(s).Where(plan.IsBroadcast));
            }

            AssertPairs(batch, inner, plan, t => Enumerable.Range(0, batch.Experts));
        }
    });

    [Fact]
    public void RandomTokensAreAsManyOfEachSequenceAsAreUncertain() => RandomBatch.ForAll(batch =>
    {
        var threshold = 0.5 * Math.Log(batch.Experts);
        foreach (var (_, inner) in Policies.Plain(batch))
        {
            var uncertain = batch.Route(new GlobalWorkspace(inner, threshold, Slots));
            var plan = batch.Route(new GlobalWorkspace(inner, threshold, Slots, tokens: GlobalWorkspaceTokens.Random));

            for (var s = 0; s < batch.Layout.Sequences; s++)
                Assert.Equal(batch.RealTokensOf(s).Count(uncertain.IsBroadcast), batch.RealTokensOf(s).Count(plan.IsBroadcast));
            AssertPairs(batch, inner, plan, t => Enumerable.Range(0, batch.Experts));
        }
    });

    [Fact]
    public void RandomTokensAreSpreadOverASequenceAndOtherForAnotherSeed()
    {
        // 500 sequences of 10 tokens, one of which is uncertain, always the first
        const int sequences = 500, length = 10, experts = 4;
        var random = new Random(3);
        var logits = Enumerable.Range(0, sequences * length)
            .SelectMany(t => Enumerable.Range(0, experts).Select(e => (t % length == 0 ? 0f : e == 2 ? 9f : 0f) + random.NextSingle() / 10))
            .ToArray();
        var layout = new Microsoft.ML.Moe.Tensors.SequenceLayout([.. Enumerable.Range(0, sequences + 1).Select(s => s * length)]);
        bool[] Broadcast(int seed)
        {
            var policy = new GlobalWorkspace(new TokenChoice(1, false), 1, tokens: GlobalWorkspaceTokens.Random, seed: seed);
            var plan = policy.Route(logits, experts, layout, training: true);
            return [.. Enumerable.Range(0, plan.Tokens).Select(plan.IsBroadcast)];
        }

        var first = Broadcast(1);
        var second = Broadcast(2);

        for (var position = 0; position < length; position++)
            Assert.InRange(Enumerable.Range(0, sequences).Count(s => first[s * length + position]), 25, 75);
        Assert.InRange(first.Zip(second).Count(p => p.First && p.Second), 25, 75);
    }

    [Fact]
    public void BroadcastTokensDoNotUseUpCapacityThatOthersHad() => RandomBatch.ForAll(batch =>
    {
        var limited = ExpertCapacity.FromTokens(new TokenChoice(1, normalizeWeights: false), 2);

        var plan = batch.Route(new GlobalWorkspace(limited, 0.5 * Math.Log(batch.Experts)));

        AssertPairs(batch, limited, plan, t => Enumerable.Range(0, batch.Experts));
        Assert.Equal(batch.Route(limited).DroppedPairs, plan.DroppedPairs);
    });

    [Fact]
    public void ImpossibleSettingsAreRefused()
    {
        var inner = new TokenChoice(1, normalizeWeights: false);
        Assert.Throws<ArgumentOutOfRangeException>(() => new GlobalWorkspace(inner, double.NaN));
        Assert.Throws<ArgumentOutOfRangeException>(() => new GlobalWorkspace(inner, 1, -1));
    }

    /// <summary>Broadcast tokens have the given experts, others what the inner policy gives them.</summary>
    private static void AssertPairs(RandomBatch batch, RoutingPolicy inner, RoutingPlan plan, Func<int, IEnumerable<int>> expertsOf)
    {
        var others = batch.Pairs(batch.Route(inner)).Where(i => !plan.IsBroadcast(i / batch.Experts));
        var broadcast = batch.RealTokens.Where(plan.IsBroadcast).SelectMany(t => expertsOf(t).Select(e => t * batch.Experts + e));
        Assert.Equal(others.Concat(broadcast).Order(), batch.Pairs(plan));
    }
}
