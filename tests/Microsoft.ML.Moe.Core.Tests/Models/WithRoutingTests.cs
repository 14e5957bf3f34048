using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Training;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Models;

/// <summary>Another router on a trained model.</summary>
public sealed class WithRoutingTests : IDisposable
{
    private readonly ManagedEngine _engine = new(2);
    private readonly TextClassifier _classifier;

    public WithRoutingTests() => _classifier = Train(_ => { });

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void TheSameRouterGivesTheSameScores()
    {
        Assert.Equal(new RouterSettings(RouterKind.TokenChoice, 2, NormalizeWeights: true), _classifier.Router);

        var again = _classifier.WithRouting(_classifier.Router);

        Assert.Equal(Score(_classifier), Score(again));
        Assert.Equal(_classifier.ParameterCount, again.ParameterCount);
    }

    [Fact]
    public void AnotherRouterGivesOtherScoresAndLeavesTheOriginalAlone()
    {
        var before = Score(_classifier);

        var single = _classifier.WithRouting(_classifier.Router with { ExpertsPerToken = 1 });
        var unified = _classifier.WithRouting(new RouterSettings(RouterKind.Unified, 1.5));

        Assert.NotEqual(before, Score(single));
        Assert.NotEqual(before, Score(unified));
        Assert.NotEqual(Score(single), Score(unified));
        Assert.Equal(before, Score(_classifier));
        Assert.Equal(before, Score(unified.WithRouting(_classifier.Router)));
        Assert.Equal(new RouterSettings(RouterKind.Unified, 1.5), unified.Router);
        Assert.Equal(2, _classifier.Router.ExpertsPerToken);
    }

    [Fact]
    public void TheWeightsAreSharedAndNotCopied()
    {
        var other = _classifier.WithRouting(new RouterSettings(RouterKind.Unified, 1));

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
        var unified = Score(_classifier.WithRouting(new RouterSettings(RouterKind.Unified, 3, Alpha: 0)));
        var tokenChoice = Score(_classifier.WithRouting(new RouterSettings(RouterKind.TokenChoice, 3)));

        Assert.All(unified.Zip(tokenChoice), pair => Assert.Equal(pair.First, pair.Second, 1e-6));
    }

    [Fact]
    public void SavingKeepsTheRouterAndTheWeights()
    {
        var router = new RouterSettings(RouterKind.Unified, 1.25, 0.3, RoutingScope.Sequence, NormalizeWeights: true);
        var other = _classifier.WithRouting(router);
        var (loaded, weights) = SaveAndLoad(other);

        Assert.Equal(router, loaded.Router);
        Assert.Equal(Score(other), Score(loaded));
        Assert.Equal(SaveAndLoad(_classifier).Weights, weights);
    }

    [Fact]
    public void DenseBlocksKeepTheirWidth()
    {
        var mixed = Train(o =>
        {
            o.Layers = 2;
            o.MoeEvery = 2;
        });

        var single = mixed.WithRouting(mixed.Router with { ExpertsPerToken = 1 });

        Assert.NotEqual(Score(mixed), Score(single));
        Assert.Equal(Score(single), Score(SaveAndLoad(single).Loaded));
    }

    [Theory]
    [InlineData(RouterKind.TokenChoice, 4.0, 0.5, "ExpertsPerToken must be over 0 and at most Experts (3)")]
    [InlineData(RouterKind.Unified, 3.01, 0.5, "ExpertsPerToken must be over 0 and at most Experts (3)")]
    [InlineData(RouterKind.ExpertChoice, 0.0, 0.5, "ExpertsPerToken")]
    [InlineData(RouterKind.Unified, double.NaN, 0.5, "ExpertsPerToken")]
    [InlineData(RouterKind.TokenChoice, 1.5, 0.5, "whole number")]
    [InlineData(RouterKind.Unified, 1.0, 1.5, "Alpha")]
    [InlineData((RouterKind)7, 1.0, 0.5, "Router")]
    public void AnImpossibleRouterIsRefused(RouterKind kind, double expertsPerToken, double alpha, string reason)
    {
        var router = new RouterSettings(kind, expertsPerToken, alpha);

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
        var dense = Train(o => (o.Layers, o.MoeEvery) = (layers, moeEvery));

        var error = Assert.Throws<InvalidOperationException>(() => dense.WithRouting(dense.Router));
        Assert.Contains("no MoE layers", error.Message, StringComparison.Ordinal);
        Assert.Contains($"MoeEvery = {moeEvery}", error.Message, StringComparison.Ordinal);
    }

    private TextClassifier Train(Action<TextClassifierOptions> change)
    {
        var options = ToyTable.Options(2);
        change(options);
        var trainer = new TextClassifierTrainer(options, 3, _engine);
        return trainer.Train(ToyTable.Encoded(trainer.Input, 60, seed: 1));
    }

    private (TextClassifier Loaded, byte[] Weights) SaveAndLoad(TextClassifier classifier)
    {
        var (config, weights) = (new MemoryStream(), new MemoryStream());
        classifier.Save(config, weights);
        config.Position = weights.Position = 0;
        return (TextClassifier.Load(config, weights, _engine), weights.ToArray());
    }

    private static float[] Score(TextClassifier classifier)
    {
        var rows = ToyTable.Encoded(classifier.Input, 30, seed: 9);
        var probabilities = new float[rows.Count * classifier.ClassCount];
        classifier.Score([.. rows.Select(r => r.Input)], probabilities);
        return probabilities;
    }
}
