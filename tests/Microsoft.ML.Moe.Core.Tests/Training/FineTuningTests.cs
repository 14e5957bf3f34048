using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Text;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

public sealed class FineTuningTests : IDisposable
{
    private readonly ManagedEngine _engine = new(1);

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void TrainingGoesOnFromTheInitialModel()
    {
        var first = Train(ToyTable.Options(12), 3);
        var options = ToyTable.Options(1);
        (options.LearningRate, options.EmbeddingLearningRate, options.WideLearningRate) = (1e-12f, 1e-12f, 1e-12f);

        var second = Train(options, 3, InitialTextModel.From(first, [0, 1, 2]));

        AssertClose(Scores(first), Scores(second), 1e-4f);
    }

    [Fact]
    public void ArchitectureAndRouterAreTheInitialModels()
    {
        var options = ToyTable.Options(1);
        (options.Width, options.Layers, options.Router, options.ExpertsPerToken) = (24, 2, RouterKind.Unified, 1.5);
        var first = Train(options, 3);

        var second = Train(ToyTable.Options(1), 3, InitialTextModel.From(first));

        Assert.Equal(first.Router, second.Router);
        Assert.Equal(first.ParameterCount, second.ParameterCount);
    }

    [Fact]
    public void ClassesThatBothKnowKeepWhatWasLearned()
    {
        var first = Train(ToyTable.Options(12), 3);
        var options = ToyTable.Options(1);
        (options.LearningRate, options.EmbeddingLearningRate, options.WideLearningRate) = (1e-12f, 1e-12f, 1e-12f);

        // the classes in another order, with two more that are new
        var second = Train(options, 5, InitialTextModel.From(first, [2, -1, 0, 1, -1]));

        var (before, after) = (Head(first), Head(second));
        Assert.Equal(before.Select(row => row[2]), after.Select(row => row[0]), (a, b) => Math.Abs(a - b) < 1e-6);
        Assert.Equal(before.Select(row => row[0]), after.Select(row => row[2]), (a, b) => Math.Abs(a - b) < 1e-6);
        Assert.Equal(before.Select(row => row[1]), after.Select(row => row[3]), (a, b) => Math.Abs(a - b) < 1e-6);
        Assert.Equal(Values(first, "wide.weight").Chunk(3).Select(r => r[1]), Values(second, "wide.weight").Chunk(5).Select(r => r[3]), (a, b) => Math.Abs(a - b) < 1e-6);
        Assert.DoesNotContain(after.Select(row => row[1]), v => before.Any(row => row.Contains(v)));
    }

    [Fact]
    public void WithoutCommonClassesOnlyTheEncoderIsTakenOver()
    {
        var first = Train(ToyTable.Options(12), 3);
        var options = ToyTable.Options(1);
        (options.LearningRate, options.EmbeddingLearningRate, options.WideLearningRate) = (1e-12f, 1e-12f, 1e-12f);

        var second = Train(options, 4, InitialTextModel.From(first));

        AssertClose(Values(first, "layers.0.attention.qkv.weight"), Values(second, "layers.0.attention.qkv.weight"), 1e-6f);
        AssertClose(Values(first, "layers.0.moe.experts.w1"), Values(second, "layers.0.moe.experts.w1"), 1e-6f);
        Assert.All(Values(second, "wide.weight"), v => Assert.InRange(v, -1e-6f, 1e-6f));
    }

    [Fact]
    public void WordsThatTheInitialModelNeverSawStartFromChanceAndTheOthersFromWhatItLearned()
    {
        var options = ToyTable.Options(1);
        options.HashBits = 12;
        var first = new TextClassifierTrainer(options, 2, _engine) is var trainer
            ? trainer.Train([new(trainer.Input.Encode("cat"), 0), new(trainer.Input.Encode("dog"), 1)])
            : null!;
        (options.LearningRate, options.EmbeddingLearningRate) = (1e-12f, 1e-12f);
        var again = new TextClassifierTrainer(options, 2, _engine, initial: InitialTextModel.From(first));

        var second = again.Train([new(again.Input.Encode("cat"), 0), new(again.Input.Encode("zebra"), 1)]);

        var (before, after) = (Values(first, "tokens").Chunk(16).ToArray(), Values(second, "tokens").Chunk(16).ToArray());
        var cat = again.Input.Encode("cat").Tokens[1].Rows[0];
        var zebra = again.Input.Encode("zebra").Tokens[1].Rows[0];
        AssertClose(before[cat], after[cat], 1e-6f);
        Assert.All(before[zebra], v => Assert.Equal(0f, v));
        Assert.Contains(after[zebra], v => v != 0f);
    }

    [Fact]
    public void AVocabularyThatDiffersIsMatchedById()
    {
        var options = ToyTable.Options(1);
        var old = new ThreeWords();
        var first = new TextClassifierTrainer(options, 2, _engine, old) is var trainer
            ? trainer.Train([new(trainer.Input.Encode("xz"), 0), new(trainer.Input.Encode("y"), 1)])
            : null!;
        (options.LearningRate, options.EmbeddingLearningRate) = (1e-12f, 1e-12f);
        var again = new TextClassifierTrainer(options, 2, _engine, new ThreeWords(), InitialTextModel.From(first, tokens: [2, -1, 1]));

        var second = again.Train([new(again.Input.Encode("xz"), 0), new(again.Input.Encode("y"), 1)]);

        var (before, after) = (Values(first, "tokens").Chunk(16).ToArray(), Values(second, "tokens").Chunk(16).ToArray());
        AssertClose(before[3 + 2], after[3 + 0], 1e-6f);
        AssertClose(before[3 + 1], after[3 + 2], 1e-6f);
        Assert.NotEqual(before[3 + 1], after[3 + 1]);
        AssertClose(before[0], after[0], 1e-6f);
    }

    [Fact]
    public void AFrozenRouterStaysAsItIsAndTheRestLearns()
    {
        var first = Train(ToyTable.Options(4), 3);
        var options = ToyTable.Options(4);
        options.FreezeRouter = true;

        var second = Train(options, 3, InitialTextModel.From(first));

        Assert.Equal(Values(first, "layers.0.moe.router.weight"), Values(second, "layers.0.moe.router.weight"));
        Assert.NotEqual(Values(first, "layers.0.moe.experts.w1"), Values(second, "layers.0.moe.experts.w1"));
        Assert.All(second.Parameters.All, p => Assert.False(p.Parameter.IsFrozen));
    }

    [Fact]
    public void AWorkspaceThatNoTokenReachesTrainsThePlainModelBitForBit()
    {
        var options = ToyTable.Options(3);
        var plain = Train(options, 3);
        options.GlobalWorkspace = new GlobalWorkspaceSettings(Math.Log(3) + 0.01, EntropyUnit.Nats);

        var workspace = Train(options, 3);

        Assert.Equal(All(plain), All(workspace));
    }

    [Theory]
    [InlineData(EntropyUnit.ShareOfMaximum, 0.9)]
    [InlineData(EntropyUnit.ShareOfTokens, 0.3)]
    public void AWorkspaceChangesTrainingAndNotThePredictionsRule(EntropyUnit unit, double threshold)
    {
        var options = ToyTable.Options(6);
        var plain = Train(options, 3);
        options.GlobalWorkspace = new GlobalWorkspaceSettings(threshold, unit);

        var workspace = Train(options, 3);

        Assert.NotEqual(All(plain), All(workspace));
        var tally = new RoutingTally();
        var rows = ToyTable.Encoded(workspace.Input, 20, seed: 3);
        workspace.ScoreObserved([.. rows.Select(r => r.Input)], new float[60], tally);
        Assert.Equal(2 * tally.Tokens, tally.Pairs);
    }

    [Fact]
    public void TheShareOfBroadcastTokensIsTheCalibratedOne()
    {
        var classifier = Train(ToyTable.Options(4), 3);
        var texts = ToyTable.Encoded(classifier.Input, 200, seed: 5).Select(r => r.Input).ToList();
        var policies = new WorkspacePolicies(new GlobalWorkspaceSettings(0.25, EntropyUnit.ShareOfTokens), 3, [0]);
        policies.Calibrate(texts, (rows, observer) => classifier.ScoreObserved(rows, new float[rows.Count * 3], observer));

        using var tape = _engine.BeginTape(training: true);
        var counter = new BroadcastCounter();
        var config = classifier.Config with { Dropout = 0f };
        var network = new TextClassifierNetwork(new ParameterStore(classifier.Parameters), config);
        network.Forward(tape, classifier.CreatePacker().Pack(texts), counter, policies.Select);

        Assert.InRange((double)counter.Broadcast / counter.Tokens, 0.24, 0.26);
    }

    [Fact]
    public void BlocksWithoutExpertsAreNamed()
    {
        var options = ToyTable.Options(1);
        options.GlobalWorkspace = new GlobalWorkspaceSettings(0.5, Blocks: [1]);

        var error = Assert.Throws<ArgumentOutOfRangeException>(() => Train(options, 3));

        Assert.Contains("Blocks", error.Message, StringComparison.Ordinal);
    }

    private TextClassifier Train(TextClassifierOptions options, int classes, InitialTextModel? initial = null)
    {
        var trainer = new TextClassifierTrainer(options, classes, _engine, initial: initial);
        return trainer.Train(ToyTable.Encoded(trainer.Input, 120, seed: 1));
    }

    private static float[] Scores(TextClassifier classifier)
    {
        var rows = ToyTable.Encoded(classifier.Input, 30, seed: 2);
        var scores = new float[30 * 3];
        classifier.Score([.. rows.Select(r => r.Input)], scores);
        return scores;
    }

    private static float[] Values(TextClassifier classifier, string name) =>
        classifier.Parameters.All.Single(p => p.Parameter.Name == name).Parameter.Value.ToArray();

    private static float[][] Head(TextClassifier classifier) => [.. Values(classifier, "head.weight").Chunk(classifier.ClassCount)];

    private static float[] All(TextClassifier classifier) => [.. classifier.Parameters.All.SelectMany(p => p.Parameter.Value.ToArray())];

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
