using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Heads;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tokenizers;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Models;

/// <summary>
/// Whether causal models look ahead. No model that does not can tell symbols that are drawn at random with less than their entropy; and what it
/// says of a token does not change with later ones.
/// </summary>
public sealed class CanaryTests
{
    private const int Symbols = 4;
    private const int Length = 8;
    private const int FirstSymbol = 2;
    private const double SameNats = 3e-6;
    private static readonly HuggingFaceTokenizer Tokenizer = ByteTokenizer.Create();

    /// <summary>Routers of every kind and scope, and whether a causal model takes them.</summary>
    public static TheoryData<string> Names => [.. Routers.Keys];

    private static Dictionary<string, Router> Routers { get; } = new()
    {
        ["token choice, 1"] = Router.TokenChoice(1),
        ["token choice, 2"] = Router.TokenChoice(2),
        ["token choice, 2, raw"] = Router.TokenChoice(2, normalizeWeights: false),
        ["token choice, 2, skipping"] = Router.TokenChoice(2) with { SkipThreshold = 0.9 },
        ["token choice, 2, sigmoid"] = Router.TokenChoice(2) with { ScoreFunction = ScoreFunction.Sigmoid },
        ["token choice, 2, SparseMixer"] =
            Router.TokenChoice(2, normalizeWeights: false) with { ScoreFunction = ScoreFunction.SparseMixer, Jitter = 0.01 },
        ["token choice, 2, 1 of 2 groups"] = Router.TokenChoice(2) with { Groups = new ExpertGroups(2, 1) },
        ["token choice, 1, 2 tokens an expert"] = Router.TokenChoice(1) with { ExpertCapacity = 2 },
        ["token choice, 1, capacity by length"] = Router.TokenChoice(1) with { CapacityFactor = 1 },
        ["token choice, 1, capacity by score"] =
            Router.TokenChoice(1) with { ExpertCapacity = 2, CapacityPriority = CapacityPriority.Score },
        ["unified, sequence"] = Router.Unified(1.5),
        ["unified, prefix"] = Router.Unified(1.5, scope: RoutingScope.Prefix),
        ["unified, prefix, normalised"] =
            Router.Unified(1.5, alpha: 0.3, RoutingScope.Prefix, WeightNormalization.Selected),
        ["unified, time step"] = Router.Unified(1.5, scope: RoutingScope.TimeStep),
        ["unified, batch"] = Router.Unified(1.5, scope: RoutingScope.Batch),
        ["expert choice, sequence"] = Router.ExpertChoice(1.5),
        ["expert choice, time step"] = Router.ExpertChoice(1.5, RoutingScope.TimeStep),
        ["expert choice, batch"] = Router.ExpertChoice(1.5, RoutingScope.Batch),
    };

    [Theory]
    [MemberData(nameof(Names))]
    public void LaterTokensChangeNothingOrTheRouterIsRefused(string name)
    {
        using var engine = new ManagedEngine(1);
        var router = Routers[name];
        if (!router.IsCausal)
        {
            // over a whole sequence Unified means the tokens so far, where a model writes
            var isMadeCausal = router is { Kind: RouterKind.Unified, Scope: RoutingScope.Sequence };
            if (isMadeCausal)
                Assert.Equal(RoutingScope.Prefix, Create(engine, router).Router.Scope);
            else
            {
                var error = Assert.Throws<ArgumentException>(() => Create(engine, router));
                Assert.Contains(nameof(Router.AllowsLookahead), error.Message, StringComparison.Ordinal);
            }

            Assert.True(LargestChange(Create(engine, router with { AllowsLookahead = true })) > 1e-4, $"{name} does not look ahead after all.");
            router = isMadeCausal ? router : null;
        }

        if (router is not null)
            Assert.InRange(LargestChange(Create(engine, router)), 0, SameNats);
    }

    /// <summary>Which tokens go to all experts while training is no later token's business, whether all uncertain ones do or the first two.</summary>
    [Theory]
    [InlineData("token choice, 1", null)]
    [InlineData("token choice, 1", 2)]
    [InlineData("token choice, 2, skipping", 2)]
    [InlineData("unified, prefix", null)]
    [InlineData("unified, prefix", 2)]
    public void AWorkspaceLooksAtNoLaterTokenWhileTraining(string name, int? slots)
    {
        using var engine = new ManagedEngine(1);
        var model = Create(engine, Routers[name]);
        var (policies, plain) = (Workspace(model, slots, GlobalWorkspaceTokens.Uncertain), Workspace(model, slots: 0, GlobalWorkspaceTokens.Uncertain));
        int[][] rows = [Row(new Random(7))];
        Assert.True(Difference(Scores(model, rows, policies)[0], Scores(model, rows, plain)[0]) > 1e-4, "Nothing was sent to all experts.");

        Assert.InRange(LargestChange(model, policies), 0, SameNats);
    }

    /// <summary>The control experiment draws among all tokens of a sequence.</summary>
    [Fact]
    public void RandomTokensOfAWorkspaceLookAheadWhileTraining()
    {
        using var engine = new ManagedEngine(1);
        var model = Create(engine, Router.TokenChoice(1));

        Assert.True(LargestChange(model, Workspace(model, slots: 2, GlobalWorkspaceTokens.Random)) > 1e-4);
    }

    [Fact]
    public void ATimeStepDependsOnItsBatchMatesAlone()
    {
        using var engine = new ManagedEngine(1);
        var model = Create(engine, Router.ExpertChoice(1.5, RoutingScope.TimeStep));
        var random = new Random(5);
        int[][] rows = [Row(random), Row(random), Row(random)];
        int[][] others = [rows[0], Row(random), Row(random)];

        Assert.True(Difference(Scores(model, rows)[0], Scores(model, others)[0]) > 1e-4);
        Assert.Equal(Scores(model, rows)[0], Scores(model, rows)[0]);
    }

    /// <summary>Expert Choice over a sequence learns to tell random symbols by which experts later tokens have left over.</summary>
    [Fact]
    public void ExpertChoiceOverASequenceCheats()
    {
        var bits = BitsAfterTraining(Router.ExpertChoice(1) with { AllowsLookahead = true }, width: 64, steps: 400, learningRate: 3e-3f);

        Assert.InRange(bits, 1, 1.98);
    }

    [Theory]
    [InlineData("token choice, 2")]
    [InlineData("unified, prefix")]
    [InlineData("unified, time step")]
    [InlineData("expert choice, time step")]
    public void HonestModelsStayAtTheEntropy(string name)
    {
        var bits = BitsAfterTraining(Routers[name], width: 16, steps: 200, learningRate: 1e-2f);

        // a sample of the test rows may be a little below the expectation, which is not
        Assert.InRange(bits, 1.998, 2.5);
    }

    private static Model<EncodedText> Create(Engine engine, Router router, int width = 16) => new LanguageModelConfig
    {
        Width = width,
        Layers = 2,
        Heads = 2,
        Experts = 4,
        ExpertWidth = width,
        MaximumTokens = Length + 1,
        LoadBalancingCoefficient = 0f,
        Router = router,
    }.Create(engine, Tokenizer, seed: 1);

    /// <summary>A workspace with a threshold at which half of some tokens are uncertain.</summary>
    private static PolicySelector Workspace(Model<EncodedText> model, int? slots, GlobalWorkspaceTokens tokens)
    {
        var settings = new GlobalWorkspaceSettings(0.5, EntropyUnit.ShareOfTokens, slots, Tokens: tokens);
        var policies = new WorkspacePolicies(settings, model.Experts, model.Config.MoeBlocks);
        EncodedText[] some = [.. Rows(20, seed: 4).Select(row => row.Input)];
        policies.Begin(thresholds: null, some, (rows, observer) => model.Score(rows, [], observer));
        return policies.Select;
    }

    private static double BitsAfterTraining(Router router, int width, int steps, float learningRate)
    {
        using var engine = new ManagedEngine();
        var start = Create(engine, router, width);
        var config = new GeneratorTrainingConfig
        {
            Training = new TrainingConfig
            {
                MaxEpochs = 1,
                BatchSize = 64,
                LearningRate = learningRate,
                LabelSmoothing = 0f,
                WeightDecay = 0f,
                Seed = 1,
            },
            Beta2 = 0.98f,
        };
        var model = new GeneratorTrainer(config, start).Train(Rows(steps * 64, seed: 2), validation: []);
        return model.Measure(Rows(2000, seed: 3)).Loss / Math.Log(2);
    }

    private static Example<EncodedText>[] Rows(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => new Example<EncodedText>(
            new EncodedText(new TokenIds(Row(random)), tokensCutOff: 0, isEmpty: false), 0f))];
    }

    private static int[] Row(Random random) =>
        [Tokenizer.SpecialTokens.End, .. Enumerable.Range(0, Length).Select(_ => FirstSymbol + random.Next(Symbols))];

    /// <summary>
    /// How much the log-probabilities of earlier tokens change, at most, when all later ones of all rows are others, or are not there.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="policies">Those of a training, whose passes are looked at; null looks at those of inference.</param>
    private static double LargestChange(Model<EncodedText> model, PolicySelector? policies = null)
    {
        var random = new Random(7);
        var largest = 0.0;
        for (var trial = 0; trial < 4; trial++)
        {
            int[][] rows = [Row(random), Row(random), Row(random)];
            for (var kept = 2; kept < Length; kept++)
            {
                int[][] others = [.. rows.Select(row => (int[])[.. row[..kept], .. Row(random)[kept..]])];
                foreach (var changed in new[] { others, [.. rows.Select(row => row[..kept])] })
                    foreach (var (one, other) in Scores(model, rows, policies).Zip(Scores(model, changed, policies)))
                        largest = Math.Max(largest, Difference(one[..kept], other[..kept]));
            }
        }

        return largest;
    }

    private static double Difference(double[][] one, double[][] other) =>
        one.Zip(other).Max(pair => pair.First.Zip(pair.Second).Max(p => Math.Abs(p.First - p.Second)));

    /// <summary>For each row and token the log-probabilities of the symbols that may follow, of all rows, of one length, in one pass.</summary>
    private static double[][][] Scores(Model<EncodedText> model, int[][] rows, PolicySelector? policies = null)
    {
        var head = (NextTokenHead)model.Head;
        using var tape = model.Engine.BeginTape(training: policies is not null);
        var layout = new SequenceLayout([.. Enumerable.Range(0, rows.Length + 1).Select(row => row * rows[0].Length)]);
        var batch = new TokenIdBatch().Reset(layout, rows.SelectMany(row => row).ToArray(), default);
        var scoresTV = head.Scores(tape, model.Encode(tape, batch, policies: policies).Last).ToArray();
        return [.. scoresTV.Chunk(head.VocabularySize)
            .Select(scoresV =>
            {
                var normalizer = Probabilities.LogSumExp(scoresV);
                return scoresV[FirstSymbol..(FirstSymbol + Symbols)].Select(score => score - normalizer).ToArray();
            })
            .Chunk(rows[0].Length)];
    }
}
