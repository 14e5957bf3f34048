using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Training;
using Microsoft.ML.Moe.Text;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>Padding in a whole classifier: it is invisible unless <see cref="RouterSettings.MaskPadding"/> is false.</summary>
public sealed class PaddingTests : IDisposable
{
    private static readonly string[] Short = ["music", "rain please"];
    private const string Long = "the alarm clock for my weather today and some more words now";
    private readonly ManagedEngine _engine = new(2);
    private readonly TextClassifier _classifier;

    public PaddingTests()
    {
        var options = ToyTable.Options(epochs: 1);
        options.WideBranch = false;
        var trainer = new TextClassifierTrainer(options, 3, _engine);
        _classifier = trainer.Train(ToyTable.Encoded(trainer.Input, 60, seed: 1));
    }

    public static TheoryData<RouterKind> Kinds { get; } = [.. Enum.GetValues<RouterKind>()];

    public static TheoryData<RouterKind> Competing { get; } = [RouterKind.ExpertChoice, RouterKind.Unified];

    public void Dispose() => _engine.Dispose();

    [Theory]
    [MemberData(nameof(Kinds))]
    public void MaskedPaddingChangesNothing(RouterKind kind)
    {
        var network = Network(new RouterSettings(kind, 1));

        Assert.Equal(Logits(network, padToLongest: false), Logits(network, padToLongest: true));
    }

    [Theory]
    [MemberData(nameof(Competing))]
    public void PaddingThatCompetesTakesExpertsFromTokens(RouterKind kind)
    {
        var network = Network(new RouterSettings(kind, 1.5, MaskPadding: false));
        var observer = new PaddingPairs();

        Assert.NotEqual(Logits(network, padToLongest: false), Logits(network, padToLongest: true, observer));
        Assert.True(observer.Count > 0);
    }

    [Fact]
    public void TokenChoiceNeverRoutesPadding()
    {
        var network = Network(new RouterSettings(RouterKind.TokenChoice, 1, MaskPadding: false));

        Assert.Equal(Logits(network, padToLongest: false), Logits(network, padToLongest: true));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AClassifierLetsPaddingCompeteAsItsRouterSays(bool maskPadding)
    {
        var classifier = _classifier.WithRouting(new RouterSettings(RouterKind.Unified, 1.5, MaskPadding: maskPadding));
        float[] Score(params string[] texts)
        {
            var probabilities = new float[texts.Length * 3];
            classifier.Score([.. texts.Select(t => classifier.Input.Encode(t))], probabilities);
            return probabilities[..(Short.Length * 3)];
        }

        Assert.Equal(maskPadding, Score(Short).SequenceEqual(Score([.. Short, Long])));
    }

    private TextClassifierNetwork Network(RouterSettings router) => _classifier.WithRouting(router).Network;

    /// <summary>Class scores of the short texts beside a long one.</summary>
    private float[] Logits(TextClassifierNetwork network, bool padToLongest, IRoutingObserver? observer = null)
    {
        EncodedText[] texts = [.. Short.Append(Long).Select(t => _classifier.Input.Encode(t))];
        using var tape = _engine.BeginTape(training: false);
        return network.Forward(tape, TextBatch.Pack(texts, wideBits: 0, padToLongest: padToLongest), observer).LogitsBC.ToArray();
    }

    private sealed class PaddingPairs : IRoutingObserver
    {
        public int Count { get; private set; }

        public void OnRouted(RoutedLayer layer)
        {
            for (var expert = 0; expert < layer.Plan.Experts; expert++)
                foreach (var token in layer.Plan.TokensOf(expert))
                    Count += layer.Layout.IsToken(token) ? 0 : 1;
        }
    }
}
