using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Training;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Models;

/// <summary>Another precision of a trained model's weights.</summary>
public sealed class WithPrecisionTests : IDisposable
{
    private readonly ManagedEngine _engine = new(2);
    private readonly Model<EncodedText> _classifier;

    public WithPrecisionTests() => _classifier = Train(_engine);

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void RoundedWeightsGiveAlmostTheSameScoresAndLeaveTheOriginalAlone()
    {
        var before = Score(_classifier);

        var rounded = _classifier.WithPrecision(InferencePrecision.BFloat16);

        Assert.Equal(InferencePrecision.BFloat16, rounded.Precision);
        var after = Score(rounded);
        Assert.NotEqual(before, after);
        Assert.All(before.Zip(after), pair => Assert.Equal(pair.First, pair.Second, 0.01));
        Assert.Equal(InferencePrecision.Full, _classifier.Precision);
        Assert.Equal(before, Score(_classifier));
        Assert.Equal(before, Score(rounded.WithPrecision(InferencePrecision.Full)));
    }

    [Fact]
    public void OnlyMatricesOfTheNetworkAreRounded()
    {
        var rounded = _classifier.WithPrecision(InferencePrecision.BFloat16);

        Assert.Equal(_classifier.Parameters.All.Count, rounded.Parameters.All.Count);
        Assert.All(_classifier.Parameters.All.Zip(rounded.Parameters.All), pair =>
        {
            var (parameter, role) = pair.First;
            Assert.Equal((parameter.Name, role), (pair.Second.Parameter.Name, pair.Second.Role));
            Assert.Equal(role != ParameterRole.Weight, ReferenceEquals(parameter, pair.Second.Parameter));
        });
        Assert.Equal(_classifier.ParameterCount, rounded.ParameterCount);
    }

    [Fact]
    public void AnotherRouterKeepsThePrecision()
    {
        var router = _classifier.Router with { ExpertsPerToken = 1 };

        var other = _classifier.WithPrecision(InferencePrecision.BFloat16).WithRouting(router);

        Assert.Equal(InferencePrecision.BFloat16, other.Precision);
        Assert.Equal(router, other.Router);
        Assert.Equal(Score(_classifier.WithRouting(router).WithPrecision(InferencePrecision.BFloat16)), Score(other));
    }

    [Fact]
    public void SavingWritesTheWeightsAsTrainedAndLoadingScoresInFullPrecision()
    {
        var (config, weights) = _classifier.Save();
        var (roundedConfig, roundedWeights) = _classifier.WithPrecision(InferencePrecision.BFloat16).Save();

        Assert.Equal(config, roundedConfig);
        Assert.Equal(weights, roundedWeights);
        using var loadedConfig = new MemoryStream(roundedConfig);
        using var loadedWeights = new MemoryStream(roundedWeights);
        var loaded = ModelFiles.LoadText(loadedConfig, loadedWeights, _engine);
        Assert.Equal(InferencePrecision.Full, loaded.Precision);
        Assert.Equal(Score(_classifier), Score(loaded));
    }

    [Fact]
    public void ThreadsDoNotChangeABit()
    {
        using var single = new ManagedEngine(1);

        Assert.Equal(
            Score(Train(single).WithPrecision(InferencePrecision.BFloat16)),
            Score(_classifier.WithPrecision(InferencePrecision.BFloat16)));
    }

    [Fact]
    public void NoPrecisionIsRefused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => _classifier.WithPrecision((InferencePrecision)7));

    private static Model<EncodedText> Train(Engine engine)
    {
        var trainer = new TextClassifierTrainer(ToyTable.Config(2), 3, engine);
        return trainer.Train(ToyTable.Encoded(trainer.Input, 60, seed: 1));
    }

    private static float[] Score(Model<EncodedText> classifier) =>
        classifier.Scores([.. ToyTable.Encoded(classifier.Input, 40, seed: 3).Select(r => r.Input)]);
}
