using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Routing;
using Microsoft.ML.Moe.Tests.Training;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Models;

/// <summary>Another router on a trained model.</summary>
public sealed class WithRoutingTests : IDisposable
{
    private readonly ManagedEngine _engine = new(2);
    private readonly Model<EncodedText> _classifier;

    public WithRoutingTests() => _classifier = Train(ToyTable.Encoder);

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void TheSameRouterGivesTheSameScores()
    {
        Assert.Equal(Router.TokenChoice(2, normalizeWeights: true), _classifier.Router);

        var again = _classifier.WithRouting(_classifier.Router);

        Assert.Equal(Score(_classifier), Score(again));
        Assert.Equal(_classifier.ParameterCount, again.ParameterCount);
    }

    [Fact]
    public void AnotherRouterGivesOtherScoresAndLeavesTheOriginalAlone()
    {
        var before = Score(_classifier);

        var single = _classifier.WithRouting(_classifier.Router with { ExpertsPerToken = 1 });
        var unified = _classifier.WithRouting(Router.Unified(1.5));

        Assert.NotEqual(before, Score(single));
        Assert.NotEqual(before, Score(unified));
        Assert.NotEqual(Score(single), Score(unified));
        Assert.Equal(before, Score(_classifier));
        Assert.Equal(before, Score(unified.WithRouting(_classifier.Router)));
        Assert.Equal(Router.Unified(1.5), unified.Router);
        Assert.Equal(2, _classifier.Router.ExpertsPerToken);
    }

    [Fact]
    public void TheWeightsAreSharedAndNotCopied()
    {
        var other = _classifier.WithRouting(Router.Unified(1));

        Assert.Equal(_classifier.Parameters.All.Count, other.Parameters.All.Count);
        Assert.All(_classifier.Parameters.All.Zip(other.Parameters.All), pair =>
        {
            Assert.Same(pair.First.Parameter, pair.Second.Parameter);
            Assert.Equal(pair.First.Role, pair.Second.Role);
        });
    }

    [Fact]
    public void UnifiedOverAllExpertsWithTheTokensViewAloneIsTokenChoiceOverAll()
    {
        var unified = Score(_classifier.WithRouting(Router.Unified(3, alpha: 0)));
        var tokenChoice = Score(_classifier.WithRouting(Router.TokenChoice(3, normalizeWeights: false)));

        Assert.All(unified.Zip(tokenChoice), pair => Assert.Equal(pair.First, pair.Second, 1e-6));
    }

    [Fact]
    public void SavingKeepsTheRouterAndTheWeights()
    {
        var router = Router.Unified(1.25, 0.3, RoutingScope.Sequence, normalization: WeightNormalization.All);
        var other = _classifier.WithRouting(router);
        var (loaded, weights) = SaveAndLoad(other);

        Assert.Equal(router, loaded.Router);
        Assert.Equal(Score(other), Score(loaded));
        Assert.Equal(SaveAndLoad(_classifier).Weights, weights);
    }

    [Fact]
    public void DenseBlocksKeepTheirWidth()
    {
        var mixed = Train(ToyTable.Encoder with { Layers = 2, MoeEvery = 2 });

        var single = mixed.WithRouting(mixed.Router with { ExpertsPerToken = 1 });

        Assert.NotEqual(Score(mixed), Score(single));
        Assert.Equal(Score(single), Score(SaveAndLoad(single).Loaded));
    }

    [Theory]
    [InlineData(RouterKind.TokenChoice, 4.0)]
    [InlineData(RouterKind.Unified, 3.01)]
    [InlineData(RouterKind.ExpertChoice, 100.0)]
    public void ARouterOfMoreExpertsThanThereAreIsRefused(RouterKind kind, double expertsPerToken)
    {
        const string reason = "ExpertsPerToken must be over 0 and at most Experts (3)";
        var router = Routers.Of(kind) with { ExpertsPerToken = expertsPerToken };

        var error = Assert.Throws<ArgumentOutOfRangeException>(() => _classifier.WithRouting(router));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(
            () => _classifier.CompareRouting(ToyTable.Encoded(_classifier.Input, 3, seed: 2), [_classifier.Router, router]));
    }

    [Fact]
    public void NoRouterIsRefused() => Assert.Throws<ArgumentNullException>(() => _classifier.WithRouting(null!));

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 0)]
    [InlineData(1, 2)]
    public void AModelWithoutMoeLayersIsRefused(int layers, int moeEvery)
    {
        var dense = Train(ToyTable.Encoder with { Layers = layers, MoeEvery = moeEvery });

        var error = Assert.Throws<InvalidOperationException>(() => dense.WithRouting(dense.Router));
        Assert.Contains("no MoE layers", error.Message, StringComparison.Ordinal);
        Assert.Contains($"MoeEvery = {moeEvery}", error.Message, StringComparison.Ordinal);
    }

    private Model<EncodedText> Train(EncoderConfig encoder)
    {
        var trainer = new TextClassifierTrainer(ToyTable.Config(2) with { Encoder = encoder }, 3, _engine);
        return trainer.Train(ToyTable.Encoded(trainer.Input, 60, seed: 1));
    }

    private (Model<EncodedText> Loaded, byte[] Weights) SaveAndLoad(Model<EncodedText> classifier)
    {
        var (config, weights) = classifier.Save();
        return (ModelFiles.LoadText(new MemoryStream(config), new MemoryStream(weights), _engine), weights);
    }

    private static float[] Score(Model<EncodedText> classifier) =>
        classifier.Scores([.. ToyTable.Encoded(classifier.Input, 30, seed: 9).Select(r => r.Input)]);
}
