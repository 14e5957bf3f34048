using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Training;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Models.Published;

/// <summary>Routers of an encoder–decoder: its encoder sees whole texts, its decoder no later token.</summary>
public sealed class EncoderDecoderRoutingTests : IDisposable
{
    private const int EncoderBlock = 1;
    private const int DecoderBlock = 3;
    private const int Letters = 6;
    private const int FirstLetter = 5;
    private const double SameScore = 1e-5;
    private readonly ManagedEngine _engine = new(1);

    /// <summary>Routers that a decoder takes, some of them in another form.</summary>
    public static TheoryData<string> Accepted => [.. Taken.Keys];

    private static Dictionary<string, Router> Taken { get; } = new()
    {
        ["one expert, a capacity"] = Router.TokenChoice(1) with { ExpertCapacity = 2 },
        ["two experts"] = Router.TokenChoice(2),
        ["two experts, skipping"] = Router.TokenChoice(2) with { SkipThreshold = 0.9 },
        ["two experts, sigmoid"] = Router.TokenChoice(2) with { ScoreFunction = ScoreFunction.Sigmoid },
        ["unified, sequence"] = Router.Unified(1.5),
        ["unified, prefix"] = Router.Unified(1.5, scope: RoutingScope.Prefix),
        ["unified, time step"] = Router.Unified(1.5, scope: RoutingScope.TimeStep),
    };

    /// <summary>Routers that a decoder has only by name.</summary>
    public static TheoryData<string> Refused => [.. LookingAhead.Keys];

    private static Dictionary<string, Router> LookingAhead { get; } = new()
    {
        ["unified, batch"] = Router.Unified(1.5, scope: RoutingScope.Batch),
        ["unified, a capacity"] = Router.Unified(1.5) with { CapacityFactor = 1 },
        ["unified, a capacity in tokens"] = Router.Unified(1.5) with { ExpertCapacity = 2 },
        ["expert choice, sequence"] = Router.ExpertChoice(1.5),
    };

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void OnlyTheDecoderIsRoutedByTheTokensSoFar()
    {
        var model = Create(Router.Unified(1.5));
        Assert.Equal(Router.Unified(1.5), model.Router);

        var routed = new Routed(Router.Unified(1.5), Router.Unified(1.5, scope: RoutingScope.Prefix));
        Scores(model, Rows(new Random(1)), routed);

        Assert.Equal([EncoderBlock, DecoderBlock], routed.Layers.Keys);
        var (encoder, decoder) = (routed.Layers[EncoderBlock], routed.Layers[DecoderBlock]);
        Assert.Equal(encoder.Expected[0], encoder.Own);
        Assert.NotEqual(encoder.Expected[1], encoder.Own);
        Assert.Equal(decoder.Expected[1], decoder.Own);
        Assert.NotEqual(decoder.Expected[0], decoder.Own);
    }

    [Fact]
    public void ByNameBothStacksTakeTheSame()
    {
        foreach (var router in new[] { Router.Unified(1.5, scope: RoutingScope.Prefix), Router.Unified(1.5) with { AllowsLookahead = true } })
        {
            var routed = new Routed(router);
            Scores(Create(router), Rows(new Random(1)), routed);
            Assert.All(routed.Layers.Values, layer => Assert.Equal(layer.Expected[0], layer.Own));
        }
    }

    [Theory]
    [MemberData(nameof(Accepted))]
    public void LaterTargetsChangeNothing(string name) =>
        Assert.InRange(LargestChange(Create(Taken[name])), 0, SameScore);

    [Theory]
    [MemberData(nameof(Refused))]
    public void WhatLooksAheadIsRefusedUnlessItIsAllowed(string name)
    {
        var router = LookingAhead[name];
        var error = Assert.Throws<ArgumentException>(() => Create(router)).Message;
        Assert.Contains("decoder", error, StringComparison.Ordinal);
        Assert.Contains(nameof(Router.AllowsLookahead), error, StringComparison.Ordinal);

        Assert.True(LargestChange(Create(router with { AllowsLookahead = true })) > 1e-3);
    }

    [Fact]
    public void UnifiedOverTheSequenceLooksAheadInTheDecoderWhereThatIsAllowed() =>
        Assert.True(LargestChange(Create(Router.Unified(1.5) with { AllowsLookahead = true })) > 1e-3);

    [Theory]
    [InlineData("two experts")]
    [InlineData("unified, sequence")]
    public void AWorkspaceLooksAtNoLaterTargetWhileTraining(string name)
    {
        var model = Create(Taken[name]);
        var settings = new GlobalWorkspaceSettings(0.5, EntropyUnit.ShareOfTokens, MaxTokensPerSequence: 3) { MaxTokensPerDecoderSequence = 2 };
        var policies = new WorkspacePolicies(settings, model.Experts, model.Config.MoeBlocks, model.Config.Encoder.Layers);
        policies.Begin(thresholds: null, Rows(new Random(1)), (rows, observer) => model.Score(rows, [], observer));
        var broadcast = new Broadcast();
        Scores(model, Rows(new Random(1)), broadcast, policies.Select);
        Assert.InRange(broadcast.Tokens[DecoderBlock], 1, 3 * 2);

        Assert.InRange(LargestChange(model, policies.Select), 0, SameScore);
    }

    [Fact]
    public void TheFileKeepsTheRouterAndAnOlderOneMeansWhatItMeant()
    {
        foreach (var router in new[] { Router.Unified(1.5), Router.Unified(1.5, scope: RoutingScope.Prefix) })
        {
            var model = Create(router);
            var (config, weights) = model.Save();
            var loaded = ModelFiles.LoadGenerator(
                new MemoryStream(config), new MemoryStream(weights), _engine, new PublishedEncoders.LetterIds(), WeightPrecision.Float32);
            Assert.Equal(router, loaded.Router);
            Assert.Equal(Scores(model, Rows(new Random(1))), Scores(loaded, Rows(new Random(1))));

            // files of this library have had the scope of both stacks in it
            var routed = new Routed(router, Router.Unified(1.5, scope: RoutingScope.Prefix));
            Scores(loaded, Rows(new Random(1)), routed);
            Assert.Equal(routed.Layers[EncoderBlock].Expected[0], routed.Layers[EncoderBlock].Own);
            Assert.Equal(routed.Layers[DecoderBlock].Expected[1], routed.Layers[DecoderBlock].Own);
        }
    }

    private Model<EncodedText> Create(Router router)
    {
        var model = TinyGenerators.Create(_engine, TinyGenerators.Switch);
        // token vectors begin so small that tokens are all alike
        var words = model.Parameters.All.Single(p => p.Role == ParameterRole.Embedding).Parameter.Value;
        words.CopyFrom([.. words.ToArray().Select(value => 25f * value)]);
        return model.WithRouting(router);
    }

    private static EncodedText[] Rows(Random random) => [.. Enumerable.Range(0, 3).Select(_ => Row(Draw(random, 7), Draw(random, 6)))];

    private static EncodedText Row(int[] source, int[] targets) =>
        new(new TokenIds([.. source, TinyGenerators.End]) { Targets = targets }, tokensCutOff: 0, isEmpty: false);

    private static int[] Draw(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => FirstLetter + random.Next(Letters))];

    /// <summary>How much scores of the next token change, at most, when all later targets of all rows are others.</summary>
    private static double LargestChange(Model<EncodedText> model, PolicySelector? policies = null)
    {
        var random = new Random(7);
        var largest = 0.0;
        for (var trial = 0; trial < 4; trial++)
        {
            var rows = Rows(random);
            for (var kept = 1; kept < 6; kept++)
            {
                EncodedText[] others =
                [
                    .. rows.Select(row => row.WithTargets([.. row.Ids!.Targets![..kept], .. Draw(random, 6 - kept)])),
                ];
                var (one, other) = (Scores(model, rows, null, policies), Scores(model, others, null, policies));
                // the target at a place is told from those before it
                for (var row = 0; row < rows.Length; row++)
                    for (var place = 0; place <= kept; place++)
                        largest = Math.Max(largest, one[row * 6 + place].Zip(other[row * 6 + place]).Max(pair => Math.Abs(pair.First - pair.Second)));
            }
        }

        return largest;
    }

    /// <summary>For each target the scores of the vocabulary; in a pass of training where there are policies for it.</summary>
    private static float[][] Scores(
        Model<EncodedText> model, EncodedText[] rows, IRoutingObserver? observer = null, PolicySelector? policies = null)
    {
        using var tape = model.Engine.BeginTape(training: policies is not null);
        var batch = model.Input.CreatePacker(model.Packing()).Pack(rows);
        var scores = model.Forward(tape, batch, observer, policies);
        return [.. scores.ToArray().Chunk(scores.Columns)];
    }

    private static string[] PairsOf(RoutingPlan plan) =>
        [.. Enumerable.Range(0, plan.Experts).Select(expert => string.Join(' ', plan.TokensOf(expert).ToArray()))];

    /// <summary>Keeps the pairs of each block, and those that routers would have chosen by its logits.</summary>
    private sealed class Routed(params Router[] routers) : IRoutingObserver
    {
        public Dictionary<int, (string[] Own, string[][] Expected)> Layers { get; } = [];

        public void OnRouted(RoutedLayer layer)
        {
            var logitsTE = layer.LogitsTE.ToArray();
            Layers.Add(layer.Block, (
                PairsOf(layer.Plan),
                [.. routers.Select(router => PairsOf(router.CreatePolicy().Route(logitsTE, layer.Plan.Experts, layer.Layout, training: false)))]));
        }
    }

    /// <summary>Counts the tokens that were sent to all experts.</summary>
    private sealed class Broadcast : IRoutingObserver
    {
        public Dictionary<int, int> Tokens { get; } = [];

        public void OnRouted(RoutedLayer layer) =>
            Tokens.Add(layer.Block, Enumerable.Range(0, layer.Plan.Tokens).Count(layer.Plan.IsBroadcast));
    }
}
