using Microsoft.ML.Moe.Routing;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>Plans whose pairs lie elsewhere until somebody asks for them.</summary>
public class RoutingPlanTests
{
    private static readonly CombineRule Rule = new(0.5f, WeightNormalization.All);

    private static RoutingPlan OnHost() => new(3, [0, 2, 3], [0, 2, 2], Rule, [false, false, true]);

    [Fact]
    public void SizesAreToldWithoutFetchingThePairs()
    {
        var plan = new RoutingPlan(3, 2, 3, Rule, () => throw new InvalidOperationException("Nobody has asked."));

        Assert.Equal((3, 2, 3, Rule), (plan.Tokens, plan.Experts, plan.Pairs, plan.Weights));
        Assert.Throws<InvalidOperationException>(() => plan.TokensOf(0).ToArray());
    }

    [Fact]
    public void PairsAreFetchedOnceByHoweverManyThreads()
    {
        var fetched = 0;
        var plan = new RoutingPlan(3, 2, 3, Rule, () =>
        {
            Interlocked.Increment(ref fetched);
            return OnHost();
        });

        Parallel.For(0, 50, _ =>
        {
            Assert.Equal([0, 2], plan.TokensOf(0));
            Assert.Equal([2], plan.TokensOf(1));
            Assert.Equal([false, false, true], Enumerable.Range(0, 3).Select(plan.IsBroadcast));
            Assert.Equal([0, 2], plan.ByToken.Of(0).ToArray().Concat(plan.ByToken.Of(2).ToArray()[1..]));
        });

        Assert.Equal(1, fetched);
    }
}
