using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Training;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Models;

/// <summary>Routers side by side on one model.</summary>
public sealed class CompareRoutingTests : IDisposable
{
    private readonly ManagedEngine _engine = new(2);

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void ResultsAreThoseOfEachModelInTheGivenOrder()
    {
        var classifier = Train(ToyTable.Encoder);
        var rows = ToyTable.Encoded(classifier.Input, 300, seed: 3);
        Router[] routers = [Router.Unified(0.5), classifier.Router, Router.ExpertChoice(1)];

        var results = classifier.CompareRouting(rows, routers);

        Assert.Equal(routers, results.Select(r => r.Router));
        Assert.All(results, result =>
        {
            var (loss, accuracy) = DirectMeasures(classifier.WithRouting(result.Router), rows);
            Assert.Equal(accuracy, result.Accuracy, 1e-12);
            Assert.Equal(loss, result.LogLoss, 1e-9);
        });
        Assert.Equal(3, results.Select(r => r.LogLoss).Distinct().Count());
        Assert.All(results, r => Assert.True(r.MillisecondsPerRow > 0));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void TokenChoiceSendsEachTokenToExactlyKExperts(int k)
    {
        var classifier = Train(ToyTable.Encoder with { Layers = k });

        var result = classifier.CompareRouting(ToyTable.Encoded(classifier.Input, 300, seed: 3), [Router.TokenChoice(k)]).Single();

        Assert.Equal(k, result.ExpertsPerToken);
    }

    [Theory]
    [InlineData(0.3)]
    [InlineData(1.5)]
    [InlineData(3)]
    public void UnifiedSendsEachSequenceToTheFloorOfItsTokensTimesK(double k)
    {
        var classifier = Train(ToyTable.Encoder);
        var rows = ToyTable.Encoded(classifier.Input, 300, seed: 3);

        var result = classifier.CompareRouting(rows, [Router.Unified(k)]).Single();

        var pairs = rows.Sum(r => (int)Math.Floor((decimal)k * r.Input.Length));
        Assert.Equal((double)pairs / rows.Sum(r => r.Input.Length), result.ExpertsPerToken);
    }

    [Fact]
    public void FlopsAreThoseCountedByHand()
    {
        // D = 16, N = 3, F = 16, C = 3, Q = 4, one layer; the start token and three words: T = 4
        var classifier = Train(ToyTable.Encoder);
        Example<EncodedText> row = new(classifier.Input.Encode("rain now please"), 1);
        var qkv = 4 * 16 * 48;
        var attention = 2 * 4 * 4 * 16; // scores and weighted sums
        var output = 4 * 16 * 16;
        var router = 4 * 16 * 3;
        var expert = 2 * 16 * 16;
        var pooling = 2 * 4 * 16 * 4;
        var head = 5 * 16 * 3;
        var without = qkv + attention + output + router + pooling + head;

        var results = classifier.CompareRouting(
            [row, row], [Router.TokenChoice(2), Router.Unified(0.75), Router.Unified(0.2)]);

        Assert.Equal(2 * (without + 8 * expert), results[0].FlopsPerRow);
        Assert.Equal(2 * (without + 3 * expert), results[1].FlopsPerRow);
        Assert.Equal(2 * without, results[2].FlopsPerRow);
    }

    [Fact]
    public void FlopsOfDenseBlocksAreCounted()
    {
        // as above, and a first block with a dense network of width k·F = 32
        var classifier = Train(ToyTable.Encoder with { Layers = 2, MoeEvery = 2 });
        Example<EncodedText> row = new(classifier.Input.Encode("rain now please"), 1);
        var block = 4 * 16 * 48 + 2 * 4 * 4 * 16 + 4 * 16 * 16;
        var dense = 4 * 2 * 16 * 32;
        var moe = 4 * 16 * 3 + 4 * 2 * 16 * 16;
        var rest = 2 * 4 * 16 * 4 + 5 * 16 * 3;

        var result = classifier.CompareRouting([row], [Router.TokenChoice(1)]).Single();

        Assert.Equal(2 * (2 * block + dense + moe + rest), result.FlopsPerRow);
    }

    [Fact]
    public void AnObserverSeesEveryMoeLayerOnceAndChangesNothing()
    {
        var classifier = Train(ToyTable.Encoder with { Layers = 4, MoeEvery = 2 });
        var rows = ToyTable.Encoded(classifier.Input, 5, seed: 3).Select(r => r.Input).ToList();
        var (observed, plain) = (new float[15], new float[15]);
        var observer = new Recorder();

        classifier.Score(rows, observed, observer);
        classifier.Score(rows, plain);

        Assert.Equal(plain, observed);
        Assert.Equal([1, 3], observer.Seen.Select(s => s.Block));
        Assert.All(observer.Seen, seen =>
        {
            Assert.Equal(rows.Sum(r => r.Length), seen.Plan.Tokens);
            Assert.Equal(seen.Plan.Tokens * 3, seen.Logits.Length);
            Assert.Equal(5, seen.Layout.Sequences);
            // the plan is the policy's for these logits
            var expected = classifier.Router.CreatePolicy().Route(seen.Logits, 3, seen.Layout, training: false);
            Assert.Equal(expected.PairTokens, seen.Plan.PairTokens);
        });
    }

    [Fact]
    public void PaddingIsNotCounted()
    {
        var tally = new RoutingTally();
        using var tape = _engine.BeginTape(training: false);
        var layout = new SequenceLayout([0, 3], [true, true, false]);
        var plan = new RoutingPlan(3, [0, 2, 3], [0, 1, 1], default);

        var logitsTE = tape.Constant(new float[6], 3, 2);
        tally.OnRouted(new RoutedLayer(0, tape, logitsTE, logitsTE, plan, layout, null!));

        Assert.Equal((2, 3), (tally.Tokens, tally.Pairs));
    }

    [Fact]
    public void ImpossibleInputIsNamed()
    {
        var classifier = Train(ToyTable.Encoder);
        var rows = ToyTable.Encoded(classifier.Input, 3, seed: 3);
        Router[] routers = [classifier.Router];

        Assert.Equal("rows", Assert.Throws<ArgumentException>(() => classifier.CompareRouting([], routers)).ParamName);
        Assert.Equal("routers", Assert.Throws<ArgumentException>(() => classifier.CompareRouting(rows, [])).ParamName);
        Assert.Throws<ArgumentNullException>(() => classifier.CompareRouting(rows, [classifier.Router, null!]));
        Assert.Throws<ArgumentNullException>(() => classifier.CompareRouting(null!, routers));
        Assert.Throws<ArgumentNullException>(() => classifier.CompareRouting(rows, null!));
        var error = Assert.Throws<ArgumentException>(() => classifier.CompareRouting([rows[0] with { Target = 3 }], routers));
        Assert.Contains("Label 3", error.Message, StringComparison.Ordinal);
    }

    private Model<EncodedText> Train(EncoderConfig encoder)
    {
        var trainer = new TextClassifierTrainer(ToyTable.Config(2) with { Encoder = encoder }, 3, _engine);
        return trainer.Train(ToyTable.Encoded(trainer.Input, 60, seed: 1));
    }

    private static (double Loss, double Accuracy) DirectMeasures(Model<EncodedText> classifier, List<Example<EncodedText>> rows)
    {
        var byRow = rows.Zip(classifier.Scores([.. rows.Select(r => r.Input)]).Chunk(3)).ToList();
        return (
            -byRow.Average(r => Math.Log(r.Second[(int)r.First.Target])),
            byRow.Average(r => r.Second[(int)r.First.Target] == r.Second.Max() ? 1.0 : 0.0));
    }

    private sealed class Recorder : IRoutingObserver
    {
        public List<(int Block, float[] Logits, RoutingPlan Plan, SequenceLayout Layout)> Seen { get; } = [];

        public void OnRouted(RoutedLayer layer) => Seen.Add((layer.Block, layer.LogitsTE.ToArray(), layer.Plan, layer.Layout));
    }
}
