using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

public class ExpertCapacityTests
{
    private static readonly TokenChoice Top1 = new(1, normalizeWeights: false);

    // five tokens that want expert 0 more and more, and one that wants expert 1
    private static readonly float[] Logits = [1, 0, /**/ 2, 0, /**/ 3, 0, /**/ 0, 1, /**/ 4, 0, /**/ 5, 0];

    [Theory]
    [InlineData(1, 3)] // ⌈1·6·1/2⌉
    [InlineData(1.25, 4)] // ⌈3.75⌉
    [InlineData(0.1, 1)] // ⌈0.3⌉
    [InlineData(100, 5)]
    public void AnExpertTakesItsShareTimesTheFactor(double factor, int expected)
    {
        var plan = Route(ExpertCapacity.FromFactor(Top1, factor, expertsPerToken: 1));

        Assert.Equal(expected, plan.TokensOf(0).Length);
        Assert.Equal([3], plan.TokensOf(1));
        Assert.Equal(5 - expected, plan.DroppedPairs);
    }

    [Fact]
    public void ByPositionTheEarlierTokensStay() =>
        Assert.Equal([0, 1, 2], Route(ExpertCapacity.FromTokens(Top1, 3)).TokensOf(0));

    [Fact]
    public void ByScoreTheSurerTokensStayAndTiesGoToTheEarlier()
    {
        var policy = ExpertCapacity.FromTokens(Top1, 3, priority: CapacityPriority.Score);

        Assert.Equal([2, 4, 5], Route(policy).TokensOf(0));
        Assert.Equal([0, 1, 2], policy.Route(new float[12], 2, new SequenceLayout([0, 6]), training: false).TokensOf(0));
    }

    [Fact]
    public void EverySequenceHasItsOwnCapacityUnlessTheBatchShares()
    {
        var layout = new SequenceLayout([0, 3, 6]);

        Assert.Equal([0, 4], ExpertCapacity.FromTokens(Top1, 1).Route(Logits, 2, layout, training: false).TokensOf(0));
        Assert.Equal([0], ExpertCapacity.FromTokens(Top1, 1, RoutingScope.Batch).Route(Logits, 2, layout, training: false).TokensOf(0));
    }

    [Fact]
    public void NoCapacityLeavesNothing()
    {
        var plan = Route(ExpertCapacity.FromTokens(Top1, 0));

        Assert.Equal(0, plan.Pairs);
        Assert.Equal(6, plan.DroppedPairs);
    }

    [Theory]
    [InlineData(RoutingScope.Sequence)]
    [InlineData(RoutingScope.TimeStep)]
    [InlineData(RoutingScope.Batch)]
    public void NoExpertTakesMoreAndNonePairIsDroppedForNothing(RoutingScope scope) => RandomBatch.ForAll(batch =>
    {
        const double factor = 0.8;
        foreach (var (_, inner) in Policies.Plain(batch))
        {
            foreach (var priority in Enum.GetValues<CapacityPriority>())
            {
                var wanted = batch.Pairs(batch.Route(inner));
                var probabilities = batch.Probabilities;

                var plan = batch.Route(ExpertCapacity.FromFactor(inner, factor, batch.Budget, scope, priority));

                var expected = batch.Groups(scope).SelectMany(group => Enumerable.Range(0, batch.Experts).SelectMany(e => wanted
                    .Where(i => i % batch.Experts == e && group.Contains(i / batch.Experts))
                    .OrderBy(i => priority is CapacityPriority.Choice or CapacityPriority.BatchPriority ? Rank(i) : 0)
                    .ThenByDescending(i => priority switch
                    {
                        CapacityPriority.Score => probabilities[i],
                        CapacityPriority.BatchPriority => probabilities.AsSpan(i - i % batch.Experts, batch.Experts).ToArray().Max(),
                        _ => 0,
                    })
                    .Take((int)Math.Ceiling(Math.Round(factor * group.Length * batch.Budget, 9) / batch.Experts))));
                Assert.Equal(expected.Order(), batch.Pairs(plan));
                Assert.Equal(wanted.Length - plan.Pairs, plan.DroppedPairs);
            }
        }

        int Rank(int pair)
        {
            var logits = batch.Logits(pair / batch.Experts);
            return Array.IndexOf([.. Enumerable.Range(0, batch.Experts).OrderByDescending(e => logits[e])], pair % batch.Experts);
        }
    });

    [Fact]
    public void ACapacityCanBeRoundedUpToAMultiple()
    {
        // ⌈1·6·1/2⌉ = 3, the next multiple of 4 is 4
        Assert.Equal(5 - 3, Route(ExpertCapacity.FromFactor(Top1, 1, 1)).DroppedPairs);
        Assert.Equal(5 - 4, Route(ExpertCapacity.FromFactor(Top1, 1, 1, multipleOf: 4)).DroppedPairs);
    }

    [Fact]
    public void ExpertChoiceNeverNeedsMoreThanFactorOne() => RandomBatch.ForAll(batch =>
    {
        var inner = new ExpertChoice(batch.Budget);

        var plan = batch.Route(ExpertCapacity.FromFactor(inner, 1, batch.Budget));

        Assert.Equal(batch.Pairs(batch.Route(inner)), batch.Pairs(plan));
        Assert.Equal(0, plan.DroppedPairs);
    });

    [Fact]
    public void PaddingCountsForTheCapacityOnlyWhenAsked()
    {
        // two of four tokens are padding: ⌈1·2·1/2⌉ = 1, ⌈1·4·1/2⌉ = 2
        var layout = new SequenceLayout([0, 4], [true, true, false, false]);
        RoutingPlan Plan(bool maskPadding) => ExpertCapacity.FromFactor(Top1, 1, 1, maskPadding: maskPadding)
            .Route(new float[8], 2, layout, training: false);

        Assert.Equal([0], Plan(maskPadding: true).TokensOf(0));
        Assert.Equal([0, 1], Plan(maskPadding: false).TokensOf(0));
    }

    [Fact]
    public void ImpossibleSettingsAreRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => ExpertCapacity.FromFactor(Top1, 0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => ExpertCapacity.FromFactor(Top1, double.NaN, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => ExpertCapacity.FromFactor(Top1, 1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => ExpertCapacity.FromTokens(Top1, -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => ExpertCapacity.FromTokens(Top1, 1, (RoutingScope)7));
        Assert.Throws<ArgumentOutOfRangeException>(() => ExpertCapacity.FromTokens(Top1, 1, priority: (CapacityPriority)7));
    }

    private static RoutingPlan Route(RoutingPolicy policy) => policy.Route(Logits, 2, new SequenceLayout([0, 6]), training: false);
}
