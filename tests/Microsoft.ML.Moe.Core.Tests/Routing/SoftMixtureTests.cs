using System.Text.Json;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Tensors;
using Microsoft.ML.Moe.Tests.Training;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Routing;

/// <summary>Soft MoE as a router of models.</summary>
public sealed class SoftMixtureTests : IDisposable
{
    private readonly ManagedEngine _engine = new(2);

    public void Dispose() => _engine.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void AModelWithItLearnsAndIsTheSameOnceSavedAndLoaded(int slots)
    {
        var model = Train(Router.Soft(slots));
        ImagePixels[] images = [.. ToyImages.Rows(60, seed: 2).Select(row => row.Input)];
        using MemoryStream config = new(), weights = new();
        model.Save(config, weights);
        (config.Position, weights.Position) = (0, 0);

        var loaded = ModelFiles.LoadImage(config, weights, _engine);

        Assert.Equal(Router.Soft(slots), loaded.Router);
        Assert.Equal(model.Scores(images), loaded.Scores(images));
        // a row's scores are its own
        Assert.Equal(model.Scores(images)[..3], model.Scores(images[..1]), (a, b) => Math.Abs(a - b) < 1e-5);
        var right = model.Scores(images).Chunk(3).Where((scores, row) => Array.IndexOf(scores, scores.Max()) == row % 3).Count();
        Assert.True(right > 30, $"{right} of 60 are right");
    }

    [Fact]
    public void WhatItCannotDoIsNamed()
    {
        var model = Train(Router.Soft(), epochs: 1);
        Names<InvalidOperationException>("nothing that a router chose", () => model.ReportRouting([]));
        Names<InvalidOperationException>("nothing that a router chose", () => model.WithRouting(Router.TokenChoice(1)));
        Names<InvalidOperationException>("nothing that a router chose", () => Router.Soft().CreatePolicy());
        Names<ArgumentException>("the model writes text", () => (Router.Soft() with { AllowsLookahead = true }).Causal());
        Names<ArgumentException>("trained from the start", () => Train(Router.TokenChoice(1), epochs: 1).WithRouting(Router.Soft()));
        Names<ArgumentException>("trained from the start", () => Upcycling.Copies(router: Router.Soft()));
        Names<ArgumentException>("GlobalWorkspace", () => Train(Router.Soft(), workspace: new GlobalWorkspaceSettings(0.5, EntropyUnit.ShareOfMaximum)));
        var settings = new MoeSettings(2, null, 0f, 0f);
        Names<ArgumentException>("not made for it", () => _ = new MoeLayer(new ParameterStore(_engine, 1), "moe", 0, 8, 8, settings, 1f));
        Assert.False(Router.Soft().IsCausal);
    }

    [Fact]
    public void SettingsOfRoutersThatChooseHaveNoEffectOnIt()
    {
        Refused(() => Router.Soft() with { CapacityFactor = 1 });
        Refused(() => Router.Soft() with { ExpertCapacity = 4 });
        Refused(() => Router.Soft() with { Scope = RoutingScope.Batch });
        Refused(() => Router.Soft() with { Normalization = WeightNormalization.Selected });
        Refused(() => Router.Soft() with { Noise = 1 });
        Refused(() => Router.TokenChoice() with { SlotsPerExpert = 2 });
        Assert.Throws<ArgumentOutOfRangeException>(() => Router.Soft(0));

        static void Refused(Func<Router> make) => Assert.ThrowsAny<ArgumentException>(make);
    }

    [Fact]
    public void GradientsAreThoseOfTheLoss()
    {
        var store = new ParameterStore(_engine, 3);
        var settings = new MoeSettings(3, null, 0f, 0f) { SlotsPerExpert = 2 };
        var layer = MixtureLayers.Create(store, "moe", 0, 5, 6, settings, 1f);
        var x = _engine.CreateParameter("x", [7, 5], TestNumbers.Normal(1, 35));
        var weights = TestNumbers.Normal(2, 35);
        var layout = new SequenceLayout([0, 4, 7]);
        foreach (var parameter in store.All.Select(p => p.Parameter).Append(x))
        {
            var values = parameter.Value.ToArray();
            var gradient = Gradient(parameter);
            for (var i = 0; i < values.Length; i += Math.Max(1, values.Length / 7))
            {
                var (more, less) = (Loss(parameter, values, i, 1e-2f), Loss(parameter, values, i, -1e-2f));
                Assert.Equal((more - less) / 2e-2, gradient[i], 2e-2 * Math.Max(1, Math.Abs(gradient[i])));
            }

            parameter.Value.CopyFrom(values);
        }

        float[] Gradient(Parameter parameter)
        {
            var before = new float[parameter.Value.Length];
            parameter.Value.CopyGradientTo(before);
            using var tape = _engine.BeginTape(training: true);
            tape.Backward(Of(tape));
            var after = new float[before.Length];
            parameter.Value.CopyGradientTo(after);
            return [.. after.Zip(before, (a, b) => a - b)];
        }

        double Loss(Parameter parameter, float[] values, int at, float by)
        {
            var changed = (float[])values.Clone();
            changed[at] += by;
            parameter.Value.CopyFrom(changed);
            using var tape = _engine.BeginTape(training: false);
            return Of(tape).ToArray()[0];
        }

        Tensor Of(Tape tape)
        {
            var y = layer.Forward(new ForwardContext(tape, layout), x);
            return tape.Scale(tape.Mean(tape.Multiply(y, tape.Constant(weights, 7, 5))), 35);
        }
    }

    private Model<ImagePixels> Train(Router router, int epochs = 12, GlobalWorkspaceSettings? workspace = null)
    {
        var config = ToyImages.Config(epochs);
        return new ImageClassifierTrainer(
            config with { Encoder = config.Encoder with { Router = router }, Training = config.Training with { GlobalWorkspace = workspace } },
            ToyImages.Input,
            ToyImages.Classes,
            _engine).Train(ToyImages.Rows(150, seed: 1));
    }

    private static void Names<T>(string reason, Action action)
        where T : Exception => Assert.Contains(reason, Assert.ThrowsAny<T>(action).Message, StringComparison.Ordinal);
}

/// <summary>What V-MoE's routers have beside others.</summary>
public sealed class VisionRouterTests : IDisposable
{
    private readonly ManagedEngine _engine = new(2);

    public void Dispose() => _engine.Dispose();

    [Theory]
    [InlineData(1, 3)]
    [InlineData(2, 4)]
    [InlineData(4, 4)]
    [InlineData(5, 5)]
    public void ACapacityIsRoundedUpToAMultiple(int multiple, int expected)
    {
        // 10 tokens, k 1, 4 experts: ⌈10/4⌉ = 3, and all want the first
        var router = Router.TokenChoice(1) with { CapacityFactor = 1, CapacityMultiple = multiple };
        float[] logits = [.. Enumerable.Range(0, 40).Select(i => i % 4 == 0 ? 1f : 0f)];
        var plan = router.CreatePolicy().Route(logits, 4, new SequenceLayout([0, 10]), training: false);
        Assert.Equal(expected, plan.Pairs);
        Assert.Equal(10 - expected, plan.DroppedPairs);
    }

    [Fact]
    public void FilesHoldWhatIsAnotherThanUsualAlone()
    {
        var router = Router.TokenChoice(1) with { CapacityFactor = 1, CapacityMultiple = 4, Noise = 1 };
        var json = JsonSerializer.Serialize(router);
        Assert.Equal(router, JsonSerializer.Deserialize<Router>(json));
        Assert.Contains("\"capacityMultiple\":4", json, StringComparison.Ordinal);
        Assert.Equal(Router.Soft(3), JsonSerializer.Deserialize<Router>(JsonSerializer.Serialize(Router.Soft(3))));
        Assert.DoesNotContain("apacityMultiple", JsonSerializer.Serialize(Router.TokenChoice()), StringComparison.Ordinal);
        Assert.DoesNotContain("lotsPerExpert", JsonSerializer.Serialize(Router.TokenChoice()), StringComparison.Ordinal);
    }

    [Fact]
    public void NoiseIsAddedWhileTrainingAlone()
    {
        var store = new ParameterStore(_engine, 1);
        var settings = new MoeSettings(4, Router.TokenChoice(1).CreatePolicy(), 0f, 0f) { RouterNoise = 2f };
        var layer = new MoeLayer(store, "moe", 0, 8, 8, settings, 1f);
        var without = Logits(layer, training: false, seed: 1);
        var first = Logits(layer, training: true, seed: 1);

        Assert.Equal(first, Logits(layer, training: true, seed: 1));
        Assert.NotEqual(first, Logits(layer, training: true, seed: 2));
        var noise = first.Zip(without, (a, b) => (double)a - b).ToArray();
        // of deviation 2/4
        Assert.InRange(Math.Sqrt(noise.Average(n => n * n)), 0.4, 0.6);
        Assert.InRange(noise.Average(), -0.1, 0.1);
    }

    [Fact]
    public void ImportanceAndLoadAreLosses()
    {
        var settings = new MoeSettings(4, Router.TokenChoice(2).CreatePolicy(), 0f, 0f)
        {
            ImportanceCoefficient = 0.5f,
            LoadCoefficient = 0.25f,
            ExpertsPerToken = 2,
        };
        var layer = new MoeLayer(new ParameterStore(_engine, 1), "moe", 0, 8, 8, settings, 1f);
        var layout = new SequenceLayout([0, 6]);
        using var tape = _engine.BeginTape(training: true);
        var observer = new LogitsObserver();
        layer.Forward(new ForwardContext(tape, layout, observer), tape.Constant(TestNumbers.Normal(1, 48), 6, 8));

        var logits = tape.Constant(observer.Logits, 6, 4);
        Assert.Equal(
            [0.5f * RouterLosses.Importance(tape, logits, layout).ToArray()[0], 0.25f * RouterLosses.Load(tape, logits, layout, 2).ToArray()[0]],
            tape.AuxiliaryLosses.Select(loss => loss.ToArray()[0]),
            (a, b) => Math.Abs(a - b) < 1e-6);
    }

    private float[] Logits(MoeLayer layer, bool training, ulong seed)
    {
        using var tape = training ? _engine.LeaseTape(training, seed) : _engine.BeginTape(training);
        var observer = new LogitsObserver();
        layer.Forward(new ForwardContext(tape, new SequenceLayout([0, 100]), observer), tape.Constant(TestNumbers.Normal(1, 800), 100, 8));
        return observer.Logits;
    }

    private sealed class LogitsObserver : IRoutingObserver
    {
        public float[] Logits { get; private set; } = [];

        public void OnRouted(RoutedLayer layer) => Logits = layer.LogitsTE.ToArray();
    }
}
