using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Text;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

public class TextClassifierTrainerTests
{
    private const int Classes = 3;

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 1)]
    [InlineData(false, 0)]
    public void LearnsATable(bool wide, int moeEvery)
    {
        using var engine = new ManagedEngine(2);
        var options = ToyTable.Options(12);
        options.WideBranch = wide;
        options.MoeEvery = moeEvery;
        var trainer = new TextClassifierTrainer(options, Classes, engine);

        var classifier = trainer.Train(ToyTable.Encoded(trainer.Input, 240, seed: 1));

        Assert.InRange(Accuracy(classifier), 0.95, 1);
    }

    [Theory]
    [InlineData(RouterKind.ExpertChoice, RoutingScope.Sequence)]
    [InlineData(RouterKind.Unified, RoutingScope.Sequence)]
    [InlineData(RouterKind.Unified, RoutingScope.TimeStep)]
    [InlineData(RouterKind.Unified, RoutingScope.Batch)]
    public void LearnsWithAnyRouter(RouterKind router, RoutingScope scope)
    {
        using var engine = new ManagedEngine(2);
        var options = ToyTable.Options(12);
        (options.Router, options.RoutingScope, options.ExpertsPerToken, options.WideBranch) = (router, scope, 1.5, false);
        var trainer = new TextClassifierTrainer(options, Classes, engine);

        var classifier = trainer.Train(ToyTable.Encoded(trainer.Input, 240, seed: 1));

        Assert.InRange(Accuracy(classifier), 0.95, 1);
    }

    [Fact]
    public void RowsOfTheTableThatNothingUsesAreZero()
    {
        using var engine = new ManagedEngine(1);
        var options = ToyTable.Options(1);
        options.HashBits = 12;
        var trainer = new TextClassifierTrainer(options, 2, engine);

        var classifier = trainer.Train([new(trainer.Input.Encode("cat"), 0), new(trainer.Input.Encode("dog"), 1)]);

        var table = classifier.Parameters.All.Single(p => p.Parameter.Name == "tokens").Parameter.Value.ToArray();
        var used = new[] { "cat", "dog" }.SelectMany(w => trainer.Input.Encode(w).Tokens.SelectMany(t => t.Rows)).Concat([0, 1, 2]).ToHashSet();
        Assert.All(table.Chunk(options.Width).Index(), row => Assert.Equal(used.Contains(row.Index), row.Item.Any(v => v != 0)));
    }

    [Fact]
    public void LearnsPairsThatNeitherTextDecides()
    {
        string[] things = ["cat", "dog", "tree", "stone"];
        List<(string, string, int)> rows = [.. Enumerable.Range(0, 400).Select(i => (things[i % 4], things[i / 4 % 4], i % 4 == i / 4 % 4 ? 1 : 0))];
        using var engine = new ManagedEngine(2);
        var options = ToyTable.Options(30);
        options.WideBranch = false;
        options.Dropout = 0.05f;
        options.ClassWeighting = ClassWeighting.Balanced;
        var trainer = new TextClassifierTrainer(options, 2, engine);

        var classifier = trainer.Train([.. rows.Select(r => new LabelledRow<EncodedText>(trainer.Input.Encode(r.Item1, r.Item2), r.Item3))]);

        var scores = Score(classifier, [.. rows.Take(16).Select(r => classifier.Input.Encode(r.Item1, r.Item2))]);
        Assert.All(rows.Take(16).Select((r, i) => (r.Item3, Right: scores[i * 2 + r.Item3])), r => Assert.True(r.Right > 0.5));
    }

    [Fact]
    public void SameSeedSameModelWhateverTheThreads()
    {
        Assert.Equal(TrainAndScore(threads: 1, seed: 7), TrainAndScore(threads: 2, seed: 7));
        Assert.NotEqual(TrainAndScore(threads: 2, seed: 7), TrainAndScore(threads: 2, seed: 8));
    }

    [Fact]
    public void AccumulationGivesTheSameModelUpToRounding()
    {
        var options = ToyTable.Options(2);
        (options.Dropout, options.TokenMaskRate, options.WordDropRate, options.WideDropRate) = (0, 0, 0, 0);
        options.LoadBalancingCoefficient = 0; // not linear in the batch
        var whole = TrainAndScore(2, 1, options);
        options.AccumulationSteps = 4;

        var parts = TrainAndScore(2, 1, options);

        // Adam turns the last digit of a gradient near 0 into a whole step, so that some difference stays
        Assert.All(whole.Zip(parts), p => Assert.Equal(p.First, p.Second, 2e-2));
        Assert.True(whole.Max() - whole.Min() > 0.2);
    }

    [Fact]
    public void KeepsTheBestEpochAndReportsEach()
    {
        using var engine = new ManagedEngine(2);
        var options = ToyTable.Options(6);
        options.LearningRate = 0.05f; // wild enough that the last epoch need not be the best
        var trainer = new TextClassifierTrainer(options, Classes, engine);
        var validation = ToyTable.Encoded(trainer.Input, 60, seed: 2);
        var observer = new Recorder();

        var classifier = trainer.Train(ToyTable.Encoded(trainer.Input, 120, seed: 1), validation, observer);

        Assert.Equal(Enumerable.Range(1, 6), observer.Epochs.Select(e => e.Epoch));
        Assert.Equal(6 * 8, observer.Steps);
        var best = observer.Epochs.Last(e => e.IsBest);
        Assert.Equal(observer.Epochs.Min(e => e.ValidationLoss), best.ValidationLoss);
        Assert.Equal(best.ValidationLoss!.Value, Evaluation.Of(classifier, validation).Loss, 1e-6);
    }

    [Fact]
    public void StopsEarlyWhenItNoLongerGetsBetter()
    {
        using var engine = new ManagedEngine(2);
        var options = ToyTable.Options(50);
        options.EarlyStoppingPatience = 1;
        options.LabelSmoothing = 0;
        var trainer = new TextClassifierTrainer(options, Classes, engine);
        var observer = new Recorder();
        // labels of the validation rows are wrong: every step that learns makes it worse
        var validation = ToyTable.Encoded(trainer.Input, 60, seed: 2).ConvertAll(r => r with { Label = (r.Label + 1) % Classes });

        trainer.Train(ToyTable.Encoded(trainer.Input, 120, seed: 1), validation, observer);

        Assert.InRange(observer.Epochs.Count, 2, 10);
        Assert.False(observer.Epochs[^1].IsBest);
    }

    [Fact]
    public void AShareIsHeldOutWhenAskedFor()
    {
        using var engine = new ManagedEngine(2);
        var options = ToyTable.Options(1);
        options.ValidationShare = 0.25f;
        var trainer = new TextClassifierTrainer(options, Classes, engine);
        var observer = new Recorder();

        trainer.Train(ToyTable.Encoded(trainer.Input, 120, seed: 1), null, observer);

        Assert.NotNull(observer.Epochs[0].ValidationLoss);
        Assert.Equal(6, observer.Steps); // 90 rows in batches of 16
    }

    [Fact]
    public void AStopKeepsWhatWasLearned()
    {
        using var engine = new ManagedEngine(2);
        using var stop = new CancellationTokenSource();
        var trainer = new TextClassifierTrainer(ToyTable.Options(100), Classes, engine);
        var observer = new Recorder { AfterEpoch = e => { if (e == 10) stop.Cancel(); } };

        var classifier = trainer.Train(ToyTable.Encoded(trainer.Input, 240, seed: 1), null, observer, stop.Token);

        Assert.Equal(10, observer.Epochs.Count);
        Assert.InRange(Accuracy(classifier), 0.9, 1);
    }

    [Fact]
    public void AnObserverCanAbandonTraining()
    {
        using var engine = new ManagedEngine(2);
        var trainer = new TextClassifierTrainer(ToyTable.Options(100), Classes, engine);
        var observer = new Recorder { AfterEpoch = _ => throw new OperationCanceledException() };

        Assert.Throws<OperationCanceledException>(() => trainer.Train(ToyTable.Encoded(trainer.Input, 60, seed: 1), null, observer));
    }

    [Fact]
    public void ALossThatIsNotFiniteSaysWhenAndAtWhatRate()
    {
        using var engine = new ManagedEngine(2);
        var options = ToyTable.Options(20);
        (options.LearningRate, options.MaxGradientNorm, options.WarmupShare) = (1e30f, 1e30f, 0);
        var trainer = new TextClassifierTrainer(options, Classes, engine);

        var error = Assert.Throws<InvalidOperationException>(() => trainer.Train(ToyTable.Encoded(trainer.Input, 60, seed: 1)));

        Assert.Matches("epoch \\d+ at learning rate 1E\\+30", error.Message);
    }

    [Fact]
    public void RowsWithoutWeightTeachNothing()
    {
        using var engine = new ManagedEngine(2);
        var trainer = new TextClassifierTrainer(ToyTable.Options(12), Classes, engine);
        var right = ToyTable.Encoded(trainer.Input, 240, seed: 1);
        var wrong = ToyTable.Encoded(trainer.Input, 480, seed: 3).ConvertAll(r => r with { Label = 0, Weight = 0 });

        var classifier = trainer.Train([.. right, .. wrong]);

        Assert.InRange(Accuracy(classifier), 0.95, 1);
    }

    [Fact]
    public void ImpossibleRowsAreRefused()
    {
        using var engine = new ManagedEngine(1);
        var trainer = new TextClassifierTrainer(ToyTable.Options(), Classes, engine);
        var text = trainer.Input.Encode("x");

        Assert.Throws<ArgumentException>(() => trainer.Train([]));
        Assert.Throws<ArgumentException>(() => trainer.Train([new(text, 3)]));
        Assert.Throws<ArgumentException>(() => trainer.Train([new(text, -1)]));
        Assert.Throws<ArgumentException>(() => trainer.Train([new(text, 0, float.NaN)]));
        Assert.Throws<ArgumentException>(() => trainer.Train([new(text, 0, 0), new(text, 1, 0)]));
        Assert.Throws<ArgumentException>(() => trainer.Train([new(text, 0)], [new(text, 4)]));
        Assert.Throws<ArgumentOutOfRangeException>(() => new TextClassifierTrainer(ToyTable.Options(), 1, engine));
    }

    private static float[] TrainAndScore(int threads, int seed, TextClassifierOptions? options = null)
    {
        using var engine = new ManagedEngine(threads);
        options ??= ToyTable.Options(3);
        options.Seed = seed;
        var trainer = new TextClassifierTrainer(options, Classes, engine);
        var classifier = trainer.Train(ToyTable.Encoded(trainer.Input, 120, seed: 1));
        return Score(classifier, [.. ToyTable.Encoded(classifier.Input, 60, seed: 2).Select(r => r.Input)]);
    }

    private static double Accuracy(TextClassifier classifier) =>
        Evaluation.Of(classifier, ToyTable.Encoded(classifier.Input, 150, seed: 2)).Accuracy;

    private static float[] Score(TextClassifier classifier, IReadOnlyList<EncodedText> texts)
    {
        var probabilities = new float[texts.Count * classifier.ClassCount];
        classifier.Score(texts, probabilities);
        return probabilities;
    }

    private sealed class Recorder : ITrainingObserver
    {
        public List<EpochReport> Epochs { get; } = [];

        public int Steps { get; private set; }

        public Action<int> AfterEpoch { get; init; } = _ => { };

        public void OnStep(int epoch, int step, int steps, double loss) => Steps++;

        public void OnEpoch(EpochReport report)
        {
            Epochs.Add(report);
            AfterEpoch(report.Epoch);
        }
    }
}
