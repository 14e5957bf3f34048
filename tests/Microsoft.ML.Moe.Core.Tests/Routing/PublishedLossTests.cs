using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>Router losses on the numbers that other implementations are tested with.</summary>
public sealed class PublishedLossTests : IDisposable
{
    private readonly ManagedEngine _engine = new(1);

    public void Dispose() => _engine.Dispose();

    /// <summary>The masked router of Switch Transformers: 2 × 3 tokens of width 4, two experts.</summary>
    [Fact]
    public void LoadBalancingAndZLossOfARouter()
    {
        float[] tokensTD =
        [
            .6433916f, .18188512f, .02240455f, .563781f,
            .5526401f, .0958724f, .34253013f, .03644359f,
            .08744538f, .7909105f, .35205448f, .53364205f,
            .02900076f, .4168595f, .5802449f, .91486526f,
            .27414513f, .14991808f, .9383501f, .5209162f,
            .51207185f, .90618336f, .7309413f, .95533276f,
        ];
        float[] routerDE =
        [
            .02008116f, .00620062f,
            -.00811031f, -.00031623f,
            -.03542127f, .02703803f,
            .02335377f, -.02971946f,
        ];
        var layout = new SequenceLayout([0, 3, 6]);
        using var tape = _engine.BeginTape(training: false);
        var logits = tape.Linear(tape.Constant(tokensTD, 6, 4), tape.Constant(routerDE, 4, 2));

        Assert.Equal(1.000308, tape.LoadBalancingLoss(logits, layout).ToArray()[0], 1e-5);
        Assert.Equal(0.4789799, tape.RouterZLoss(logits, layout).ToArray()[0], 1e-5);
    }

    /// <summary>GShard's auxiliary loss, N·Σ share of first choices·mean gate, is the load-balancing loss of logits = ln(gates).</summary>
    [Fact]
    public void LoadBalancingOfGivenGates()
    {
        var logits = Array.ConvertAll(Gates, gate => gate == 0 ? -80f : MathF.Log(gate));
        using var tape = _engine.BeginTape(training: false);

        var loss = tape.LoadBalancingLoss(tape.Constant(logits, 4, 3), new SequenceLayout([0, 4])).ToArray()[0];

        Assert.Equal(1.0875, loss, 1e-5);
    }

    /// <summary>Probabilities and choices from the tests of a well-known Switch Transformer implementation.</summary>
    [Fact]
    public void LoadBalancingOfGivenProbabilitiesAndChoices()
    {
        double[] probabilities =
        [
            .35490513, .60419905, .4275843, .23061597, .32985854, .43953657, .25099766, .27730572, .7678207, .71474564,
        ];
        var sums = Enumerable.Range(0, 2).Select(e => Enumerable.Range(0, 5).Sum(t => probabilities[2 * t + e])).ToArray();

        Assert.Equal(0.8741045, LoadBalancingLoss.Value([3, 2], sums, 5), 1e-6);
    }

    [Fact]
    public void ImportanceOfGivenGates()
    {
        double[] importance = [.. Enumerable.Range(0, 3).Select(e => Enumerable.Range(0, 4).Sum(t => (double)Gates[t * 3 + e]))];

        Assert.Equal(0.03874999, RouterImbalance.Importance(importance), 1e-6);
    }

    [Fact]
    public void ImportanceIsZeroForAnEvenSpreadAndNLessOneForASingleExpert()
    {
        Assert.Equal(0, RouterImbalance.Importance(2, 2, 2), 1e-12);
        Assert.Equal(2, RouterImbalance.Importance(0, 5, 0), 1e-12);
        Assert.Equal(0, RouterImbalance.Importance(0, 0), 1e-12);
    }

    private static float[] Gates => [.5f, .4f, .1f, /**/ .3f, .3f, .4f, /**/ .1f, .2f, .7f, /**/ .8f, .2f, 0f];
}
