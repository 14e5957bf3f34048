using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Training;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>Padding in a whole classifier: it is invisible unless <see cref="Router.MaskPadding"/> is false.</summary>
public sealed class PaddingTests : IDisposable
{
    private static readonly string[] Short = ["music", "rain please"];
    private const string Long = "the alarm clock for my weather today and some more words now";
    private readonly ManagedEngine _engine = new(2);
    private readonly Model<EncodedText> _classifier;

    public PaddingTests()
    {
        var trainer = new TextClassifierTrainer(ToyTable.Config(epochs: 1) with { LinearBranch = false }, 3, _engine);
        _classifier = trainer.Train(ToyTable.Encoded(trainer.Input, 60, seed: 1));
    }

    public static TheoryData<RouterKind> Kinds { get; } = [.. Enum.GetValues<RouterKind>()];

    public static TheoryData<RouterKind> Competing { get; } = [RouterKind.ExpertChoice, RouterKind.Unified];

    public void Dispose() => _engine.Dispose();

    [Theory]
    [MemberData(nameof(Kinds))]
    public void MaskedPaddingChangesNothing(RouterKind kind)
    {
        var model = _classifier.WithRouting(Routers.Of(kind) with { ExpertsPerToken = 1 });

        Assert.Equal(Logits(model, padToLongest: false), Logits(model, padToLongest: true));
    }

    [Theory]
    [MemberData(nameof(Competing))]
    public void PaddingThatCompetesTakesExpertsFromTokens(RouterKind kind)
    {
        var model = _classifier.WithRouting(Routers.Of(kind) with { ExpertsPerToken = 1.5, MaskPadding = false });
        var observer = new PaddingPairs();

        Assert.NotEqual(Logits(model, padToLongest: false), Logits(model, padToLongest: true, observer));
        Assert.True(observer.Count > 0);
    }

    [Fact]
    public void TokenChoiceNeverRoutesPadding()
    {
        var model = _classifier.WithRouting(Router.TokenChoice(1) with { MaskPadding = false });

        Assert.Equal(Logits(model, padToLongest: false), Logits(model, padToLongest: true));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AClassifierLetsPaddingCompeteAsItsRouterSays(bool maskPadding)
    {
        var classifier = _classifier.WithRouting(Router.Unified(1.5) with { MaskPadding = maskPadding });
        float[] Score(params string[] texts)
        {
            var probabilities = new float[texts.Length * 3];
            classifier.Score([.. texts.Select(t => classifier.Input.Encode(t))], probabilities);
            return probabilities[..(Short.Length * 3)];
        }

        Assert.Equal(maskPadding, Score(Short).SequenceEqual(Score([.. Short, Long])));
    }

    /// <summary>Class scores of the short texts beside a long one.</summary>
    private float[] Logits(Model<EncodedText> model, bool padToLongest, IRoutingObserver? observer = null)
    {
        EncodedText[] texts = [.. Short.Append(Long).Select(t => _classifier.Input.Encode(t))];
        using var tape = _engine.BeginTape(training: false);
        var packer = new TextBatchPacker(new Packing(padToLongest, KeepsLayouts: false));
        return model.Forward(tape, packer.Pack(texts), observer).ToArray();
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
