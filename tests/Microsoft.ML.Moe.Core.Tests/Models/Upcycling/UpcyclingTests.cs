using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Models.Published;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.PublishedEncoders;

/// <summary>Mixtures made of dense published encoders.</summary>
public sealed class UpcyclingTests : IDisposable
{
    private static readonly string[] Texts = ["weather", "a", "", "thequickbrownfox", "jumps", "overthelazydog"];

    // one scaled as far as its output is linear in the scale
    private static readonly string Relu = TinyPublished.Bert.With(("hidden_act", "relu"));

    private readonly ManagedEngine _engine = new(2);
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Dense { get; } = [TinyPublished.Bert, TinyPublished.GatedNomic];

    public void Dispose()
    {
        _engine.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [MemberData(nameof(Dense))]
    public void CopiesWhoseWeightsSumToOneAreTheDenseEncoder(string config)
    {
        var dense = Load(config);
        foreach (var router in (Router[])
        [
            Router.TokenChoice(1, normalizeWeights: true), Router.TokenChoice(2), Router.TokenChoice(3),
            Router.TokenChoice(4, normalizeWeights: false), Router.ExpertChoice(4), Router.Unified(4, normalization: WeightNormalization.All), Router.Unified(4, alpha: 0),
        ])
        {
            var mixture = Load(config, Upcycling.Copies(4, router) with { RouterDeviation = 1f });
            Assert.NotEmpty(mixture.Config.Encoder.MoeBlocks);
            AssertSame(dense, mixture, router.ToString());
        }
    }

    [Fact]
    public void WithoutDividingTheOutputShrinks() => Assert.True(Difference(
        Load(TinyPublished.Bert), Load(TinyPublished.Bert, Upcycling.Copies(4, Router.TokenChoice(1, normalizeWeights: false)))) > 0.01);

    [Theory]
    [MemberData(nameof(Dense))]
    public void AllSlicesWithEqualWeightsAreTheDenseEncoder(string config)
    {
        var dense = Load(config);
        var isGated = config == TinyPublished.GatedNomic;
        foreach (var (experts, shared) in isGated ? [(8, 0), (3, 1), (6, 2)] : new[] { (2, 1), (3, 0), (1, 2) })
            foreach (var isNormalized in new[] { false, true })
            {
                var router = Router.TokenChoice(experts, isNormalized);
                var upcycling = Upcycling.Slices(experts, shared, router) with { RouterDeviation = 0f, Every = 1 };
                AssertSame(dense, Load(config, upcycling), $"{experts} + {shared}");
            }
    }

    [Fact]
    public void FewerSlicesAreNear()
    {
        var dense = Load(TinyPublished.GatedNomic);
        var far = Difference(dense, Load(TinyPublished.GatedNomic, Upcycling.Slices(8, 0, Router.TokenChoice(1, normalizeWeights: false))));
        var near = Difference(dense, Load(TinyPublished.GatedNomic, Upcycling.Slices(8, 0, Router.TokenChoice(7, normalizeWeights: false))));
        Assert.True(near < far, $"{near} and {far}");
    }

    [Theory]
    [InlineData(1, 4, 2, true)]
    [InlineData(2, 4, 2, true)]
    [InlineData(2, 4, 4, true)]
    [InlineData(3, 6, 3, true)]
    [InlineData(2, 6, 6, false)]
    public void WholeVirtualGroupsAreTheDenseEncoderWhereTheActivationIsHomogeneous(int granularity, int experts, int k, bool isNormalized) =>
        AssertSame(
            Load(Relu),
            Load(Relu, Upcycling.VirtualGroups(granularity, experts, Router.TokenChoice(k, isNormalized)) with { RouterDeviation = 1f, Every = 1 }),
            $"{granularity}");

    [Theory]
    [MemberData(nameof(Dense))]
    public void NothingDrawnAnewIsTheDenseEncoder(string config)
    {
        var dense = Load(config);
        AssertSame(dense, Load(config, Upcycling.DropUpcycling(0, 3)), "drop");
        AssertSame(dense, Load(config, Upcycling.Noise(0, 3)), "noise");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AShareOfTheUnitsIsDrawnAnewInEachMatrixOfEachExpert(bool drops)
    {
        const int Hidden = 24, Width = 16, Experts = 3;
        var dense = Load(TinyPublished.Bert).Values("layers.1.feedForward.second.weight").Chunk(Width).ToArray();
        var mixture = Load(TinyPublished.Bert, drops ? Upcycling.DropUpcycling(0.25, Experts) : Upcycling.Noise(0.25, Experts));
        var experts = mixture.Values("layers.1.moe.experts.w2").Chunk(Width).Chunk(Hidden).ToArray();

        Assert.Equal(Experts, experts.Length);
        foreach (var expert in experts)
        {
            var kept = expert.Count(row => dense.Any(row.SequenceEqual));
            Assert.Equal(Hidden - Hidden / 4, kept);
            // of noise, the others are near a unit of the dense network still
            Assert.Equal(!drops, expert.All(row => dense.Any(d => d.Zip(row, (a, b) => Math.Abs(a - b)).Max() < 0.15f)));
        }

        Assert.NotEqual(experts[0][0], experts[1][0]);
    }

    [Fact]
    public void ASeedGivesOneMixture()
    {
        foreach (var upcycling in (Upcycling[])
            [Upcycling.Copies(4), Upcycling.VirtualGroups(2, 4), Upcycling.Slices(3), Upcycling.DropUpcycling(0.5, 4), Upcycling.Noise(0.5, 4)])
        {
            var values = Load(TinyPublished.Bert, upcycling).AllValues();
            Assert.Equal(values, Load(TinyPublished.Bert, upcycling).AllValues());
            Assert.NotEqual(values, Load(TinyPublished.Bert, upcycling with { Seed = 1 }).AllValues());
        }
    }

    [Theory]
    [InlineData(RouterStart.Random)]
    [InlineData(RouterStart.CentredRandom)]
    [InlineData(RouterStart.CentredKMeans)]
    public void ASavedMixtureComesBackAndTakesAnyRouter(RouterStart start)
    {
        var upcycling = Upcycling.Slices(2, 1) with { RouterStart = start, Blocks = [2, 0] };
        var model = Load(TinyPublished.Bert, upcycling, new ClassesHeadConfig { Classes = 3 });
        UpcycledRouters.Start(upcycling, model, Encode(model));
        Assert.Equal([0, 2], model.Config.Encoder.MoeBlocks);
        Assert.Equal(start != RouterStart.Random, model.Parameters.All.Any(p => p.Parameter.Name == "layers.2.moe.router.bias"));

        var (config, weights) = model.Save();
        using var engine = new ManagedEngine(1);
        using MemoryStream configStream = new(config), weightStream = new(weights);
        var loaded = ModelFiles.LoadText(configStream, weightStream, engine, new LetterIds());

        Assert.Equal(model.Config, loaded.Config);
        Assert.Equal(model.Scores(Encode(model)), loaded.Scores(Encode(loaded)));
        Assert.NotEqual(model.Scores(Encode(model)), loaded.WithRouting(Router.Unified(0.5)).Scores(Encode(loaded)));
        Assert.Equal(2, loaded.ReportRouting(Encode(loaded)).Layers.Count);
    }

    [Fact]
    public void AShareOfTheTokensEntersTheGlobalWorkspace()
    {
        var upcycling = Upcycling.Copies(4) with { RouterStart = RouterStart.CentredKMeans };
        var model = Load(TinyPublished.Bert, upcycling, new ClassesHeadConfig { Classes = 3 });
        var random = new Random(1);
        EncodedText[] rows = [.. Enumerable.Range(0, 60).Select(_ =>
            model.Input.Encode(string.Concat(Enumerable.Range(0, 12).Select(_ => (char)('a' + random.Next(26))))))];
        UpcycledRouters.Start(upcycling, model, rows);
        var policies = new WorkspacePolicies(
            new GlobalWorkspaceSettings(0.2, EntropyUnit.ShareOfTokens), model.Experts, model.Config.Encoder.MoeBlocks);
        policies.Begin(null, rows, (some, observer) => model.Score(some, new float[some.Count * model.Outputs], observer));
        var counts = new Broadcasts();
        using var tape = _engine.BeginTape(training: true);
        var batch = model.Input.CreatePacker(model.Packing(keepsLayouts: true)).Pack(rows);

        var scores = model.Forward(tape, batch, counts, policies.Select);
        tape.Backward(tape.CrossEntropy(scores, [.. rows.Select((_, i) => i % 3)], []));

        Assert.Equal(0.2, counts.Share, 0.01);
        Assert.All(model.Parameters.All.Where(p => p.Parameter.Name.Contains(".experts.w1", StringComparison.Ordinal)), p =>
        {
            var gradient = new float[p.Parameter.Value.Length];
            p.Parameter.Value.CopyGradientTo(gradient);
            Assert.All(gradient.Chunk(gradient.Length / 4), expert => Assert.Contains(expert, g => g != 0));
        });
    }

    [Fact]
    public void ByDefaultEverySecondBlock()
    {
        var dense = PublishedFolder.Open(TinyPublished.Write(_folder.Path, TinyPublished.Bert).Path).Encoder;

        Assert.Equal([1], Upcycling.Copies().Apply(dense).MoeBlocks);
        Assert.Equal([0, 1, 2], (Upcycling.Copies() with { Every = 1 }).Apply(dense).MoeBlocks);
        Assert.Equal([0, 2], (Upcycling.Copies() with { Every = 1, Blocks = [2, 0] }).Apply(dense).MoeBlocks);
        Assert.Equal(Upcycling.Copies() with { Blocks = [0, 2] }, Upcycling.Copies() with { Blocks = [2, 0] });
    }

    [Fact]
    public void WhatCannotBeMadeIsRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Upcycling.Copies(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => Upcycling.Copies(2, Router.TokenChoice(3)));
        Assert.Throws<ArgumentOutOfRangeException>(() => Upcycling.Copies(4) with { Router = Router.Unified(4.5) });
        Assert.Throws<ArgumentNullException>(() => Upcycling.Copies(4) with { Router = null! });
        Assert.Throws<ArgumentException>(() => Upcycling.VirtualGroups(3, 8));
        Assert.Throws<ArgumentOutOfRangeException>(() => Upcycling.VirtualGroups(0, 8));
        Assert.Throws<ArgumentOutOfRangeException>(() => Upcycling.Slices(4, -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Upcycling.DropUpcycling(1.1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Upcycling.Noise(double.NaN));
        Assert.Throws<ArgumentOutOfRangeException>(() => Upcycling.Copies() with { Every = 0 });
        Assert.Throws<ArgumentOutOfRangeException>(() => Upcycling.Copies() with { RouterDeviation = -1f });
        Assert.Throws<ArgumentException>(() => Upcycling.Copies() with { Blocks = [] });
        Assert.Throws<ArgumentOutOfRangeException>(() => Upcycling.Copies() with { Blocks = [-1] });

        Refused<ArgumentException>(TinyPublished.Bert, Upcycling.Slices(5), "24");
        Refused<ArgumentException>(TinyPublished.Bert, Upcycling.VirtualGroups(5, 5), "24");
        Refused<ArgumentException>(TinyPublished.Bert, Upcycling.Copies() with { Every = 4 }, "Every = 4");
        Refused<ArgumentOutOfRangeException>(TinyPublished.Bert, Upcycling.Copies() with { Blocks = [3] }, "3 blocks");
        Refused<ArgumentException>(TinyPublished.Bert.With(("num_hidden_layers", 0)), Upcycling.Copies(), "no feed-forward networks");
        Refused<ArgumentException>(TinyPublished.NomicMixture, Upcycling.Copies(), "already");
    }

    [Fact]
    public void AMissingTensorOfTheDenseNetworkIsNamed()
    {
        foreach (var upcycling in (Upcycling[])[Upcycling.Copies(2), Upcycling.DropUpcycling(0.5, 2)])
        {
            var error = Assert.Throws<InvalidDataException>(() => Load(
                TinyPublished.Bert, upcycling, change: tensors => tensors.Remove("encoder.layer.1.intermediate.dense.weight")));
            Assert.Contains("encoder.layer.1.intermediate.dense.weight", error.Message, StringComparison.Ordinal);
        }
    }

    private static void AssertSame(Model<EncodedText> dense, Model<EncodedText> mixture, string what)
    {
        var difference = Difference(dense, mixture);
        Assert.True(difference < 2e-5, $"{what}: {difference}");
    }

    private static double Difference(Model<EncodedText> dense, Model<EncodedText> mixture) =>
        dense.Scores(Encode(dense)).Zip(mixture.Scores(Encode(mixture)), (a, b) => (double)Math.Abs(a - b)).Max();

    private static EncodedText[] Encode(Model<EncodedText> model) => [.. Texts.Select(text => model.Input.Encode(text))];

    private void Refused<T>(string config, Upcycling upcycling, string text)
        where T : ArgumentException =>
        Assert.Contains(text, Assert.Throws<T>(() => Load(config, upcycling)).Message, StringComparison.Ordinal);

    private Model<EncodedText> Load(
        string config, Upcycling? upcycling = null, HeadConfig? head = null, Action<Dictionary<string, NamedValues>>? change = null)
    {
        var folder = TinyPublished.Write(_folder.Path, config, change);
        return folder.Load(
            _engine,
            new PublishedTextInput(PublishedTextInputConfig.Of(folder.Encoder), new LetterIds()),
            head ?? new VectorHeadConfig(),
            seed: 3,
            upcycling: upcycling);
    }

    private sealed class Broadcasts : IRoutingObserver
    {
        private double _tokens;
        private double _broadcast;

        public double Share => _broadcast / _tokens;

        public void OnRouted(RoutedLayer layer)
        {
            _tokens += layer.Plan.Tokens;
            _broadcast += Enumerable.Range(0, layer.Plan.Tokens).Count(layer.Plan.IsBroadcast);
        }
    }
}
