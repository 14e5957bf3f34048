using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tests.Tensors;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Routers that begin with what they will see.</summary>
public sealed class UpcycledRoutersTests
{
    private const int Width = 6;
    private const int Clusters = 3;

    [Fact]
    public void CentredRandomRoutersAreTheRandomOnesOverCentredStates()
    {
        var states = States(60);
        var random = TestNumbers.Normal(5, Width * 4);
        var upcycling = Upcycling.Copies(4) with { RouterStart = RouterStart.CentredRandom };

        var (weight, bias) = UpcycledRouters.Of(upcycling, [.. random], states);

        Assert.Equal(random, weight);
        var mean = Enumerable.Range(0, Width).Select(d => states.Average(s => s[d])).ToArray();
        Assert.All(Logits(weight, bias, mean), logit => Assert.Equal(0, logit, 1e-3));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void ClustersGoToExpertsOfTheirOwn(int granularity)
    {
        var states = States(90);
        var experts = Clusters * granularity;
        var upcycling = (granularity == 1 ? Upcycling.Copies(experts) : Upcycling.VirtualGroups(granularity, experts)) with
        {
            RouterStart = RouterStart.CentredKMeans,
        };

        var (weight, bias) = UpcycledRouters.Of(upcycling, new float[Width * experts], states);

        var logits = states.Select(state => Logits(weight, bias, state)).ToArray();
        int[] best = [.. logits.Select(l => Array.IndexOf(l, l.Max()) / granularity)];
        for (var i = 0; i < states.Length; i++)
            Assert.Equal(best[i % Clusters], best[i]);
        Assert.Equal(Clusters, best.Distinct().Count());
        // the experts of a group are alike, and logits have the deviation that is said
        Assert.All(logits, l => Assert.All(l.Chunk(granularity), group => Assert.All(group, v => Assert.Equal(group[0], v, 1e-4))));
        var variance = logits.Average(l => l.Average(v => (v - l.Average()) * (v - l.Average())));
        Assert.Equal(1, variance, 1e-3);
        Assert.Equal(weight, UpcycledRouters.Of(upcycling, new float[Width * experts], states).WeightDE);
    }

    [Fact]
    public void TooFewTokensAreRefused()
    {
        var upcycling = Upcycling.Copies(4) with { RouterStart = RouterStart.CentredKMeans };

        var error = Assert.Throws<ArgumentException>(() => UpcycledRouters.Of(upcycling, new float[Width * 4], States(3)));

        Assert.Contains("3 tokens", error.Message, StringComparison.Ordinal);
    }

    // Around three corners, all far from zero in one direction.
    private static float[][] States(int count)
    {
        var noise = TestNumbers.Normal(3, count * Width);
        return [.. Enumerable.Range(0, count).Select(i => Enumerable.Range(0, Width)
            .Select(d => 20f + (d == i % Clusters ? 3f : 0f) + 0.2f * noise[i * Width + d]).ToArray())];
    }

    private static double[] Logits(float[] weightDE, float[] biasE, float[] state) =>
        [.. biasE.Select((b, e) => b + Enumerable.Range(0, Width).Sum(d => (double)state[d] * weightDE[d * biasE.Length + e]))];
}
