using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

public sealed class FineTuningTests : IDisposable
{
    private readonly ManagedEngine _engine = new(1);

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void TrainingGoesOnFromTheInitialModel()
    {
        var first = Train(ToyTable.Config(12), 3);
        var config = ToyTable.Config(1).WithTraining(t => t.LearningNothing());

        var second = Train(config, 3, WarmStart.From(first, [0, 1, 2]));

        AssertClose(Scores(first), Scores(second), 1e-4f);
    }

    [Fact]
    public void ArchitectureAndRouterAreTheInitialModels()
    {
        var config = ToyTable.Config(1).WithEncoder(e => e with { Width = 24, Layers = 2, Router = Router.Unified(1.5) });
        var first = Train(config, 3);

        var second = Train(ToyTable.Config(1), 3, WarmStart.From(first));

        Assert.Equal(first.Router, second.Router);
        Assert.Equal(first.ParameterCount, second.ParameterCount);
    }

    [Fact]
    public void RatesAndCoefficientsOfTrainingAreTheNewConfigurations()
    {
        var first = Train(ToyTable.Config(1), 3);
        var config = ToyTable.Config(1).WithEncoder(
            e => e with { Dropout = 0.05f, LoadBalancingCoefficient = 0.5f, RouterZLossCoefficient = 0.25f, DenseWidth = 99 });

        var second = Train(config, 3, WarmStart.From(first)).Config.Encoder;

        Assert.Equal((0.05f, 0.5f, 0.25f), (second.Dropout, second.LoadBalancingCoefficient, second.RouterZLossCoefficient));
        Assert.Equal(first.Config.Encoder.FeedForwardWidth, second.FeedForwardWidth);
    }

    [Fact]
    public void ClassesThatBothKnowKeepWhatWasLearned()
    {
        var first = Train(ToyTable.Config(12), 3);
        var config = ToyTable.Config(1).WithTraining(t => t.LearningNothing());

        // the classes in another order, with two more that are new
        var second = Train(config, 5, WarmStart.From(first, [2, -1, 0, 1, -1]));

        var (before, after) = (Head(first), Head(second));
        Assert.Equal(before.Select(row => row[2]), after.Select(row => row[0]), (a, b) => Math.Abs(a - b) < 1e-6);
        Assert.Equal(before.Select(row => row[0]), after.Select(row => row[2]), (a, b) => Math.Abs(a - b) < 1e-6);
        Assert.Equal(before.Select(row => row[1]), after.Select(row => row[3]), (a, b) => Math.Abs(a - b) < 1e-6);
        Assert.DoesNotContain(after.Select(row => row[1]), v => before.Any(row => row.Contains(v)));
    }

    [Fact]
    public void WithoutCommonClassesOnlyTheEncoderIsTakenOver()
    {
        var first = Train(ToyTable.Config(12), 3);
        var config = ToyTable.Config(1).WithTraining(t => t.LearningNothing());

        var second = Train(config, 4, WarmStart.From(first));

        AssertClose(first.Values("layers.0.attention.qkv.weight"), second.Values("layers.0.attention.qkv.weight"), 1e-6f);
        AssertClose(first.Values("layers.0.moe.experts.w1"), second.Values("layers.0.moe.experts.w1"), 1e-6f);
    }

    [Fact]
    public void WordsThatTheInitialModelNeverSawStartFromChanceAndTheOthersFromWhatItLearned()
    {
        var config = ToyTable.Config(1).WithInput(i => i with { HashBits = 12 });
        var first = new TextClassifierTrainer(config, 2, _engine) is var trainer
            ? trainer.Train([new(trainer.Input.Encode("cat"), 0), new(trainer.Input.Encode("dog"), 1)])
            : null!;
        config = config.WithTraining(t => t.LearningNothing());
        var again = new TextClassifierTrainer(config, 2, _engine, start: WarmStart.From(first));

        var second = again.Train([new(again.Input.Encode("cat"), 0), new(again.Input.Encode("zebra"), 1)]);

        var (before, after) = (first.Values("tokens").Chunk(16).ToArray(), second.Values("tokens").Chunk(16).ToArray());
        var cat = again.Input.Encode("cat").Tokens[1].Rows[0];
        var zebra = again.Input.Encode("zebra").Tokens[1].Rows[0];
        AssertClose(before[cat], after[cat], 1e-6f);
        Assert.All(before[zebra], v => Assert.Equal(0f, v));
        Assert.Contains(after[zebra], v => v != 0f);
    }

    [Fact]
    public void AVocabularyThatDiffersIsMatchedById()
    {
        var config = ToyTable.Config(1);
        var old = new ThreeWords();
        var first = new TextClassifierTrainer(config, 2, _engine, old) is var trainer
            ? trainer.Train([new(trainer.Input.Encode("xz"), 0), new(trainer.Input.Encode("y"), 1)])
            : null!;
        config = config.WithTraining(t => t.LearningNothing());
        var again = new TextClassifierTrainer(config, 2, _engine, new ThreeWords(), WarmStart.From(first, tokens: [2, -1, 1]));

        var second = again.Train([new(again.Input.Encode("xz"), 0), new(again.Input.Encode("y"), 1)]);

        var (before, after) = (first.Values("tokens").Chunk(16).ToArray(), second.Values("tokens").Chunk(16).ToArray());
        AssertClose(before[3 + 2], after[3 + 0], 1e-6f);
        AssertClose(before[3 + 1], after[3 + 2], 1e-6f);
        Assert.NotEqual(before[3 + 1], after[3 + 1]);
        AssertClose(before[0], after[0], 1e-6f);
    }

    [Fact]
    public void AFrozenRouterStaysAsItIsAndTheRestLearns()
    {
        var first = Train(ToyTable.Config(4), 3);

        var second = Train(ToyTable.Config(4).WithTraining(t => t with { FreezeRouter = true }), 3, WarmStart.From(first));

        Assert.Equal(first.Values("layers.0.moe.router.weight"), second.Values("layers.0.moe.router.weight"));
        Assert.NotEqual(first.Values("layers.0.moe.experts.w1"), second.Values("layers.0.moe.experts.w1"));
        Assert.All(second.Parameters.All, p => Assert.False(p.Parameter.IsFrozen));
    }

    [Fact]
    public void AWorkspaceThatNoTokenReachesTrainsThePlainModelBitForBit()
    {
        var plain = Train(ToyTable.Config(3), 3);

        var workspace = Train(In(new GlobalWorkspaceSettings(Math.Log(3) + 0.01, EntropyUnit.Nats), ToyTable.Config(3)), 3);

        Assert.Equal(plain.AllValues(), workspace.AllValues());
    }

    [Theory]
    [InlineData(EntropyUnit.ShareOfMaximum, 0.9)]
    [InlineData(EntropyUnit.ShareOfTokens, 0.3)]
    public void AWorkspaceChangesTrainingAndNotThePredictionsRule(EntropyUnit unit, double threshold)
    {
        var plain = Train(ToyTable.Config(6), 3);

        var workspace = Train(In(new GlobalWorkspaceSettings(threshold, unit), ToyTable.Config(6)), 3);

        Assert.NotEqual(plain.AllValues(), workspace.AllValues());
        var tally = new RoutingTally();
        var rows = ToyTable.Encoded(workspace.Input, 20, seed: 3);
        workspace.Score([.. rows.Select(r => r.Input)], new float[60], tally);
        Assert.Equal(2 * tally.Tokens, tally.Pairs);
    }

    [Fact]
    public void TheShareOfBroadcastTokensIsTheCalibratedOne()
    {
        var classifier = Train(ToyTable.Config(4), 3);
        var texts = ToyTable.Encoded(classifier.Input, 200, seed: 5).Select(r => r.Input).ToList();
        var policies = new WorkspacePolicies(new GlobalWorkspaceSettings(0.25, EntropyUnit.ShareOfTokens), 3, [0]);
        policies.Begin(null, texts, (rows, observer) => classifier.Score(rows, new float[rows.Count * 3], observer));

        using var tape = _engine.BeginTape(training: true);
        var counter = new BroadcastCounter();
        var config = classifier.Config with { Encoder = classifier.Config.Encoder with { Dropout = 0f } };
        var model = new Model<EncodedText>(_engine, config, classifier.Input, new ParameterStore(classifier.Parameters));
        model.Forward(tape, classifier.Input.CreatePacker(classifier.Packing()).Pack(texts), counter, policies.Select);

        Assert.InRange((double)counter.Broadcast / counter.Tokens, 0.24, 0.26);
    }

    [Fact]
    public void BlocksWithoutExpertsAreNamed()
    {
        var config = In(new GlobalWorkspaceSettings(0.5, Blocks: [1]), ToyTable.Config(1));

        var error = Assert.Throws<ArgumentOutOfRangeException>(() => Train(config, 3));

        Assert.Contains("Blocks", error.Message, StringComparison.Ordinal);
    }

    private static TextClassifierConfig In(GlobalWorkspaceSettings workspace, TextClassifierConfig config) =>
        config.WithTraining(t => t with { GlobalWorkspace = workspace });

    private Model<EncodedText> Train(TextClassifierConfig config, int classes, WarmStart? start = null)
    {
        var trainer = new TextClassifierTrainer(config, classes, _engine, start: start);
        return trainer.Train(ToyTable.Encoded(trainer.Input, 120, seed: 1));
    }

    private static float[] Scores(Model<EncodedText> classifier) =>
        classifier.Scores([.. ToyTable.Encoded(classifier.Input, 30, seed: 2).Select(r => r.Input)]);

    private static float[][] Head(Model<EncodedText> classifier) => [.. classifier.Values("head.weight").Chunk(classifier.Outputs)];

    private static void AssertClose(float[] expected, float[] actual, float tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.All(expected.Zip(actual), pair => Assert.InRange(pair.First - pair.Second, -tolerance, tolerance));
    }

    private sealed class BroadcastCounter : IRoutingObserver
    {
        public int Tokens { get; private set; }

        public int Broadcast { get; private set; }

        public void OnRouted(RoutedLayer layer)
        {
            Tokens += layer.Plan.Tokens;
            Broadcast += Enumerable.Range(0, layer.Plan.Tokens).Count(layer.Plan.IsBroadcast);
        }
    }

    /// <summary>Splits into the letters x, y and z.</summary>
    private sealed class ThreeWords : ISubwordTokenizer
    {
        public int VocabularySize => 3;

        public IReadOnlyList<int> Encode(string text) => [.. text.Where(c => c is >= 'x' and <= 'z').Select(c => c - 'x')];
    }
}
