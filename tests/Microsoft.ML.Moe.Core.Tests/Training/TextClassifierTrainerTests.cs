using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.LinearModels;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Routing;
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
        var config = ToyTable.Config(12).WithEncoder(e => e with { MoeEvery = moeEvery }) with { LinearBranch = wide };
        var trainer = new TextClassifierTrainer(config, Classes, engine);

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
        var own = Routers.Of(router) with { Scope = scope, ExpertsPerToken = 1.5 };
        var config = ToyTable.Config(12).WithEncoder(e => e with { Router = own }) with { LinearBranch = false };
        var trainer = new TextClassifierTrainer(config, Classes, engine);

        var classifier = trainer.Train(ToyTable.Encoded(trainer.Input, 240, seed: 1));

        Assert.InRange(Accuracy(classifier), 0.95, 1);
    }

    [Fact]
    public void RowsOfTheTableThatNothingUsesAreZero()
    {
        using var engine = new ManagedEngine(1);
        var trainer = new TextClassifierTrainer(ToyTable.Config(1).WithInput(i => i with { HashBits = 12 }), 2, engine);

        var classifier = trainer.Train([new(trainer.Input.Encode("cat"), 0), new(trainer.Input.Encode("dog"), 1)]);

        var table = classifier.Values("tokens");
        var used = new[] { "cat", "dog" }.SelectMany(w => trainer.Input.Encode(w).Tokens.SelectMany(t => t.Rows)).Concat([0, 1, 2]).ToHashSet();
        Assert.All(table.Chunk(ToyTable.Encoder.Width).Index(), row => Assert.Equal(used.Contains(row.Index), row.Item.Any(v => v != 0)));
    }

    [Fact]
    public void LearnsPairsThatNeitherTextDecides()
    {
        string[] things = ["cat", "dog", "tree", "stone"];
        List<(string, string, int)> rows = [.. Enumerable.Range(0, 400).Select(i => (things[i % 4], things[i / 4 % 4], i % 4 == i / 4 % 4 ? 1 : 0))];
        using var engine = new ManagedEngine(2);
        var config = ToyTable.Config(30).WithEncoder(e => e with { Dropout = 0.05f })
            .WithTraining(t => t with { ClassWeighting = ClassWeighting.Balanced }) with { LinearBranch = false };
        var trainer = new TextClassifierTrainer(config, 2, engine);

        var classifier = trainer.Train([.. rows.Select(r => new Example<EncodedText>(trainer.Input.Encode(r.Item1, r.Item2), r.Item3))]);

        var scores = classifier.Scores([.. rows.Take(16).Select(r => classifier.Input.Encode(r.Item1, r.Item2))]);
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
        // the load-balancing loss is not linear in the batch
        var config = ToyTable.Config(2).WithEncoder(e => e with { Dropout = 0, LoadBalancingCoefficient = 0 })
            with { Noise = new() { TokenMaskRate = 0, WordDropRate = 0 } };
        var whole = TrainAndScore(2, 1, config);

        var parts = TrainAndScore(2, 1, config.WithTraining(t => t with { AccumulationSteps = 4 }));

        // Adam turns the last digit of a gradient near 0 into a whole step, so that some difference stays
        Assert.All(whole.Zip(parts), p => Assert.Equal(p.First, p.Second, 2e-2));
        Assert.True(whole.Max() - whole.Min() > 0.2);
    }

    [Fact]
    public void KeepsTheBestEpochAndReportsEach()
    {
        using var engine = new ManagedEngine(2);
        // a rate that is wild enough that the last epoch need not be the best
        var config = ToyTable.Config(6).WithTraining(t => t with { LearningRate = 0.05f }) with { LinearBranch = false };
        var trainer = new TextClassifierTrainer(config, Classes, engine);
        var validation = ToyTable.Encoded(trainer.Input, 60, seed: 2);
        var observer = new Recorder();

        var classifier = trainer.Train(ToyTable.Encoded(trainer.Input, 120, seed: 1), validation, observer);

        Assert.Equal(Enumerable.Range(1, 6), observer.Epochs.Select(e => e.Epoch));
        Assert.Equal(6 * 8, observer.Steps);
        var best = observer.Epochs.Last(e => e.IsBest);
        Assert.Equal(observer.Epochs.Min(e => e.ValidationLoss), best.ValidationLoss);
        Assert.Equal(best.ValidationLoss!.Value, classifier.Measure(validation).Loss, 1e-6);
    }

    [Fact]
    public void TheBranchesAreWeighedOnRowsThatNeitherLearned()
    {
        using var engine = new ManagedEngine(2);
        var trainer = new TextClassifierTrainer(ToyTable.Config(12), Classes, engine);
        var training = ToyTable.Encoded(trainer.Input, 240, seed: 1);
        var observer = new Recorder();

        var classifier = trainer.Train(training, observer: observer);

        // a tenth is held out: 24 of 240
        Assert.Equal(12 * 14, observer.Steps);
        Assert.Contains(observer.Messages, m => m.Contains("chosen by 24 rows", StringComparison.Ordinal));
        var branch = (LinearBranch)classifier.Branch!;
        Assert.True(branch.Weights.Encoder + branch.Weights.Linear > 0.5f);
        var test = ToyTable.Encoded(trainer.Input, 200, seed: 2);
        var network = new Model<EncodedText>(engine, classifier.Config, classifier.Input, new ParameterStore(classifier.Parameters));
        Assert.InRange(classifier.Measure(test).Loss, 0, network.Measure(test).Loss);
    }

    [Fact]
    public void RowsThatDoNotCountAreNotHeldOut()
    {
        using var engine = new ManagedEngine(1);
        var trainer = new TextClassifierTrainer(ToyTable.Config(1), Classes, engine);
        var rows = ToyTable.Encoded(trainer.Input, 120, seed: 1);
        var observer = new Recorder();

        trainer.Train([.. rows.Select((row, i) => row with { Weight = i < 60 ? 1f : 0f })], observer: observer);

        Assert.Contains(observer.Messages, m => m.Contains("chosen by 6 rows", StringComparison.Ordinal));
    }

    [Fact]
    public void FewRowsAreAllLearned()
    {
        using var engine = new ManagedEngine(1);
        var trainer = new TextClassifierTrainer(ToyTable.Config(2), Classes, engine);
        var observer = new Recorder();

        trainer.Train(ToyTable.Encoded(trainer.Input, 48, seed: 1), observer: observer);

        Assert.Equal(2 * 3, observer.Steps);
        Assert.Contains(observer.Messages, m => m.Contains("by 0 rows", StringComparison.Ordinal));
    }

    [Fact]
    public void TheLengthFollowsTheTextsAndLongerOnesAreCutOff()
    {
        using var engine = new ManagedEngine(1);
        var config = ToyTable.Config(1).WithInput(i => i with { MaximumTokens = null });
        var trainer = new TextClassifierTrainer(config, 2, engine);
        var rows = Enumerable.Range(0, 60)
            .Select(i => new Example<EncodedText>(trainer.Input.Encode(string.Join(' ', Enumerable.Repeat("cat", i == 0 ? 600 : 199))), i % 2))
            .ToList();
        var observer = new Recorder();

        var classifier = trainer.Train(rows, observer: observer);

        Assert.Equal(200, ((TextInput)classifier.Input).MaximumTokens);
        Assert.Contains(observer.Messages, m => m.Contains("MaximumTokens = 200", StringComparison.Ordinal) && m.Contains("1 of 60", StringComparison.Ordinal));
        Assert.Equal(401, classifier.Input.Encode(string.Join(' ', Enumerable.Repeat("cat", 600))).TokensCutOff);
    }

    [Fact]
    public void StoppedTrainingKeepsWhatWasLearnedWithBothBranches()
    {
        using var engine = new ManagedEngine(2);
        using var stop = new CancellationTokenSource();
        var trainer = new TextClassifierTrainer(ToyTable.Config(12), Classes, engine);
        var observer = new Recorder { AfterStep = step => { if (step == 20) stop.Cancel(); } };

        var classifier = trainer.Train(ToyTable.Encoded(trainer.Input, 240, seed: 1), observer: observer, stop: stop.Token);

        Assert.Equal(20, observer.Steps);
        Assert.NotNull(classifier.Branch);
        Assert.InRange(Accuracy(classifier), 0.8, 1);
    }

    [Fact]
    public void StoppedBeforeItBeganItTrainsNothing()
    {
        using var engine = new ManagedEngine(1);
        var trainer = new TextClassifierTrainer(ToyTable.Config(2), Classes, engine);

        Assert.Throws<OperationCanceledException>(
            () => trainer.Train(ToyTable.Encoded(trainer.Input, 60, seed: 1), stop: new CancellationToken(canceled: true)));
    }

    [Fact]
    public void StopsEarlyWhenItNoLongerGetsBetter()
    {
        using var engine = new ManagedEngine(2);
        var config = ToyTable.Config(50).WithTraining(t => t with { EarlyStoppingPatience = 1, LabelSmoothing = 0 });
        var trainer = new TextClassifierTrainer(config, Classes, engine);
        var observer = new Recorder();
        // labels of the validation rows are wrong: every step that learns makes it worse
        var validation = ToyTable.Encoded(trainer.Input, 60, seed: 2).ConvertAll(r => r with { Target = ((int)r.Target + 1) % Classes });

        trainer.Train(ToyTable.Encoded(trainer.Input, 120, seed: 1), validation, observer);

        Assert.InRange(observer.Epochs.Count, 2, 10);
        Assert.False(observer.Epochs[^1].IsBest);
    }

    [Fact]
    public void AShareIsHeldOutWhenAskedFor()
    {
        using var engine = new ManagedEngine(2);
        var trainer = new TextClassifierTrainer(ToyTable.Config(1).WithTraining(t => t with { ValidationShare = 0.25f }), Classes, engine);
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
        var trainer = new TextClassifierTrainer(ToyTable.Config(100), Classes, engine);
        var observer = new Recorder { AfterEpoch = e => { if (e == 10) stop.Cancel(); } };

        var classifier = trainer.Train(ToyTable.Encoded(trainer.Input, 240, seed: 1), null, observer, stop.Token);

        Assert.Equal(10, observer.Epochs.Count);
        Assert.InRange(Accuracy(classifier), 0.9, 1);
    }

    [Fact]
    public void AnObserverCanAbandonTraining()
    {
        using var engine = new ManagedEngine(2);
        var trainer = new TextClassifierTrainer(ToyTable.Config(100), Classes, engine);
        var observer = new Recorder { AfterEpoch = _ => throw new OperationCanceledException() };

        Assert.Throws<OperationCanceledException>(() => trainer.Train(ToyTable.Encoded(trainer.Input, 60, seed: 1), null, observer));
    }

    [Fact]
    public void ALossThatIsNotFiniteSaysWhenAndAtWhatRate()
    {
        using var engine = new ManagedEngine(2);
        var config = ToyTable.Config(20).WithTraining(t => t with { LearningRate = 1e30f, MaxGradientNorm = 1e30f, WarmupShare = 0 });
        var trainer = new TextClassifierTrainer(config, Classes, engine);

        var error = Assert.Throws<InvalidOperationException>(() => trainer.Train(ToyTable.Encoded(trainer.Input, 60, seed: 1)));

        Assert.Matches("epoch \\d+ at learning rate 1E\\+30", error.Message);
    }

    [Fact]
    public void RowsWithoutWeightTeachNothing()
    {
        using var engine = new ManagedEngine(2);
        var trainer = new TextClassifierTrainer(ToyTable.Config(12), Classes, engine);
        var right = ToyTable.Encoded(trainer.Input, 240, seed: 1);
        var wrong = ToyTable.Encoded(trainer.Input, 480, seed: 3).ConvertAll(r => r with { Target = 0, Weight = 0 });

        var classifier = trainer.Train([.. right, .. wrong]);

        Assert.InRange(Accuracy(classifier), 0.95, 1);
    }

    [Fact]
    public void ImpossibleRowsAreRefused()
    {
        using var engine = new ManagedEngine(1);
        var trainer = new TextClassifierTrainer(ToyTable.Config(), Classes, engine);
        var text = trainer.Input.Encode("x");

        Assert.Throws<ArgumentException>(() => trainer.Train([]));
        Assert.Throws<ArgumentException>(() => trainer.Train([new(text, 3)]));
        Assert.Throws<ArgumentException>(() => trainer.Train([new(text, -1)]));
        Assert.Throws<ArgumentException>(() => trainer.Train([new(text, 0.5f)]));
        Assert.Throws<ArgumentException>(() => trainer.Train([new(text, float.NaN)]));
        Assert.Throws<ArgumentException>(() => trainer.Train([new(text, 0, float.NaN)]));
        Assert.Throws<ArgumentException>(() => trainer.Train([new(text, 0, 0), new(text, 1, 0)]));
        Assert.Throws<ArgumentException>(() => trainer.Train([new(text, 0)], [new(text, 4)]));
        Assert.Throws<ArgumentOutOfRangeException>(() => new TextClassifierTrainer(ToyTable.Config(), 1, engine));
    }

    private static float[] TrainAndScore(int threads, int seed, TextClassifierConfig? config = null)
    {
        using var engine = new ManagedEngine(threads);
        config = (config ?? ToyTable.Config(3)).WithTraining(t => t with { Seed = seed });
        var trainer = new TextClassifierTrainer(config, Classes, engine);
        var classifier = trainer.Train(ToyTable.Encoded(trainer.Input, 120, seed: 1));
        return classifier.Scores([.. ToyTable.Encoded(classifier.Input, 60, seed: 2).Select(r => r.Input)]);
    }

    private static double Accuracy(Model<EncodedText> classifier) =>
        classifier.Measure(ToyTable.Encoded(classifier.Input, 150, seed: 2)).Metric;

    private sealed class Recorder : ITrainingObserver
    {
        public List<EpochReport> Epochs { get; } = [];

        public int Steps { get; private set; }

        public List<string> Messages { get; } = [];

        public Action<int> AfterEpoch { get; init; } = _ => { };

        public Action<int> AfterStep { get; init; } = _ => { };

        public void OnStep(int epoch, int step, int steps, double loss) => AfterStep(++Steps);

        public void OnMessage(string message) => Messages.Add(message);

        public void OnEpoch(EpochReport report)
        {
            Epochs.Add(report);
            AfterEpoch(report.Epoch);
        }
    }
}
