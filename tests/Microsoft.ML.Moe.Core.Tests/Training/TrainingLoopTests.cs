using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>The order in which a training packs, launches and waits.</summary>
public class TrainingLoopTests
{
    [Fact]
    public void TheNextBatchIsPackedBeforeTheLossIsWaitedFor()
    {
        var log = new Log();

        Loop(log, examples: 5, batchSize: 2, parts: 1, epochs: 2).Execute(CancellationToken.None);

        string[] epoch =
        [
            "begin",
            "prepare 2", "accumulate 1", "clip", "step",
            "prepare 2", "loss", "norm", "accumulate 1", "clip", "step",
            "prepare 1", "loss", "norm", "accumulate 1", "clip", "step",
            "loss", "norm", "evaluate",
        ];
        Assert.Equal([.. epoch, .. epoch, "prepare 2", "accumulate 0", "loss"], log.Calls);
    }

    [Fact]
    public void PartsOfABatchArePackedWhileTheDeviceIsAtWorkOnThoseBefore()
    {
        var log = new Log();

        Loop(log, examples: 4, batchSize: 3, parts: 2, epochs: 1).Execute(CancellationToken.None);

        // The last batch has one example, and so one part.
        Assert.Equal(
        [
            "begin",
            "prepare 1", "accumulate 0.33", "prepare 2", "accumulate 0.67", "clip", "step",
            "prepare 1", "loss", "loss", "norm", "accumulate 1", "clip", "step",
            "loss", "norm", "evaluate",
            "prepare 1", "accumulate 0", "loss",
        ],
        log.Calls);
    }

    [Fact]
    public void EveryExampleIsTakenOnceAnEpochWithTheChanceOfItsStep()
    {
        Log first = new(), second = new();

        Loop(first, examples: 7, batchSize: 3, parts: 2, epochs: 2).Execute(CancellationToken.None);
        Loop(second, examples: 7, batchSize: 3, parts: 2, epochs: 2).Execute(CancellationToken.None);

        // two epochs, and one example that shows what the last step has done
        Assert.Equal(14 + 1, first.Examples.Count);
        Assert.Equal(Enumerable.Range(0, 7), first.Examples.Take(7).Order());
        Assert.Equal(Enumerable.Range(0, 7), first.Examples.Skip(7).Take(7).Order());
        Assert.Equal(first.Examples, second.Examples);
        Assert.Equal(first.Chance, second.Chance);
        Assert.Equal(first.Chance.Count, first.Chance.Distinct().Count());
    }

    [Theory]
    [InlineData(float.NaN, 1f)]
    [InlineData(1f, float.PositiveInfinity)]
    public void AStepThatDivergesIsToldToNobody(float loss, float norm)
    {
        var log = new Log { Loss = loss, Norm = norm };
        var observer = new StepCounter();

        var error = Assert.Throws<InvalidOperationException>(
            () => Loop(log, examples: 4, batchSize: 2, parts: 1, epochs: 1, observer).Execute(CancellationToken.None));

        Assert.Contains("diverged", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, observer.Steps);
    }

    [Fact]
    public void WhatTheLastStepHasDoneIsSeen()
    {
        var log = new Log { LossOfNothingLearned = float.NaN };

        var error = Assert.Throws<InvalidOperationException>(
            () => Loop(log, examples: 4, batchSize: 2, parts: 1, epochs: 1).Execute(CancellationToken.None));

        Assert.Contains("diverged", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void ALossThatIsNoNumberIsNeverTheBest(double loss)
    {
        var log = new Log { Validation = new ValidationResult(loss, 0) };

        Assert.Throws<InvalidOperationException>(
            () => Loop(log, examples: 4, batchSize: 2, parts: 1, epochs: 1).Execute(CancellationToken.None));
    }

    [Fact]
    public void AStopTakesNoFurtherStep()
    {
        var log = new Log();
        using var stop = new CancellationTokenSource();
        var observer = new StepCounter(stop, stopAfter: 2);

        Loop(log, examples: 9, batchSize: 2, parts: 1, epochs: 3, observer).Execute(stop.Token);

        Assert.Equal(2, observer.Steps);
        Assert.Equal(2, log.Calls.Count(call => call == "step"));
        Assert.Equal(["prepare 2", "loss", "norm", "evaluate"], log.Calls.TakeLast(4));
    }

    private static TrainingLoop Loop(Log log, int examples, int batchSize, int parts, int epochs, ITrainingObserver? observer = null)
    {
        var schedule = new TrainingSchedule(epochs, batchSize, parts, 0.1f, 0f, LearningRateDecay.Constant, 1f, Patience: null, Seed: 1);
        var identity = new TrainingIdentity(new ManagedEngine(1), () => throw new InvalidOperationException("Nobody asks which training it is."));
        return new TrainingLoop(schedule, new LoggedObjective(log, examples), new LoggedOptimizer(log), [], identity, observer);
    }

    private sealed class Log
    {
        public List<string> Calls { get; } = [];

        public List<int> Examples { get; } = [];

        public List<int> Chance { get; } = [];

        public float Loss { get; init; } = 1f;

        public float Norm { get; init; } = 1f;

        public float LossOfNothingLearned { get; init; } = 1f;

        public ValidationResult? Validation { get; init; }
    }

    private sealed class LoggedObjective(Log log, int examples) : ITrainingObjective
    {
        public int Examples => examples;

        public void BeginEpoch(int epoch, IReadOnlyList<double>? state) => log.Calls.Add("begin");

        public void Prepare(ReadOnlySpan<int> examples, Random random)
        {
            log.Calls.Add($"prepare {examples.Length}");
            log.Examples.AddRange(examples.ToArray());
            log.Chance.Add(random.Next());
        }

        public LaterValue Accumulate(float scale)
        {
            log.Calls.Add(FormattableString.Invariant($"accumulate {scale:0.##}"));
            return new LaterValue(() =>
            {
                log.Calls.Add("loss");
                return scale == 0f ? log.LossOfNothingLearned : log.Loss;
            });
        }

        public ValidationResult? Evaluate()
        {
            log.Calls.Add("evaluate");
            return log.Validation;
        }
    }

    private sealed class LoggedOptimizer(Log log) : Optimizer
    {
        public override float GradientNorm
        {
            get
            {
                log.Calls.Add("norm");
                return log.Norm;
            }
        }

        public override void ClipGradients(float maxNorm) => log.Calls.Add("clip");

        public override void Step(float learningRateFactor) => log.Calls.Add("step");

        public override void ClearGradients()
        {
        }

        public override IReadOnlyList<NamedValues> GetState() => [];

        public override void SetState(IReadOnlyDictionary<string, NamedValues> state)
        {
        }

        protected override void Dispose(bool disposing)
        {
        }
    }

    private sealed class StepCounter(CancellationTokenSource? stop = null, int stopAfter = int.MaxValue) : ITrainingObserver
    {
        public int Steps { get; private set; }

        public void OnStep(int epoch, int step, int steps, double loss)
        {
            if (++Steps == stopAfter)
                stop?.Cancel();
        }

        public void OnEpoch(EpochReport report)
        {
        }
    }
}
