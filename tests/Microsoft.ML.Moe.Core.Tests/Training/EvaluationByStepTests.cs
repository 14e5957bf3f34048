using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>Validation rows that are evaluated while a model learns.</summary>
public sealed class EvaluationByStepTests : IDisposable
{
    private const int Rows = 20;

    private readonly ManagedEngine _engine = new(1);
    private readonly List<string> _lines = [];

    public void Dispose() => _engine.Dispose();

    [Theory]
    [InlineData(2, new[] { 2, 4, 5, 6, 8, 10 })]
    [InlineData(5, new[] { 5, 10 })]
    [InlineData(7, new[] { 5, 7, 10 })]
    [InlineData(null, new[] { 5, 10 })]
    public void EvaluationsAreReportedByTheStepsTaken(int? every, int[] steps)
    {
        // 5 steps an epoch
        var (reports, _) = Train(every);
        Assert.Equal(steps, reports.Select(report => report.Step));
        Assert.All(reports, report => Assert.Equal(report.Step <= 5 ? 1 : 2, report.Epoch));
        Assert.All(reports, report => Assert.Equal(Math.Exp(report.Loss), report.Perplexity));
    }

    [Fact]
    public void EvaluationsWithinAnEpochTellTheTimeThatIsLeft()
    {
        Train(2);
        Assert.Equal(4, _lines.Count);
        foreach (var (line, step) in _lines.Zip([2, 4, 6, 8]))
            Assert.Matches($@"^Step {step}: validation loss \d\.\d{{4}}, \d+:\d\d:\d\d left\.$", line);
    }

    [Fact]
    public void TheLossIsThatOfTheModelAfterTheStepAndTheBestIsKept()
    {
        var (reports, loss) = Train(1);
        var best = reports.MinBy(report => report.Loss)!;
        Assert.Equal(best.Loss, loss, 1e-6);
        var least = double.PositiveInfinity;
        foreach (var report in reports)
        {
            Assert.Equal(report.Loss < least, report.IsBest);
            least = Math.Min(least, report.Loss);
        }

        // the weights of a step do not depend on whether they are looked at
        var (few, _) = Train(5);
        Assert.Equal(reports.Where(report => report.Step % 5 == 0).Select(report => report.Loss), few.Select(report => report.Loss));
    }

    private (List<EvaluationReport> Reports, double Loss) Train(int? every)
    {
        var model = TinyGenerators.Create(_engine, TinyCausal.Olmoe);
        var config = new GeneratorTrainingConfig();
        config = config with
        {
            Training = config.Training with { MaxEpochs = 2, BatchSize = 4, LearningRate = 1e-2f, EvaluationSteps = every, WarmupShare = 0f },
        };
        var observer = new Observer(_lines);
        var validation = TinyGenerators.Rows(model, 6, seed: 2);
        var trained = new GeneratorTrainer(config, model).Train(TinyGenerators.Rows(model, Rows), validation, observer);
        return (observer.Reports, trained.Measure(validation).Loss);
    }

    private sealed class Observer(List<string> lines) : ITrainingObserver
    {
        public void OnMessage(string message) => lines.Add(message);

        public List<EvaluationReport> Reports { get; } = [];

        public void OnStep(int epoch, int step, int steps, double loss)
        {
        }

        public void OnEpoch(EpochReport report) => Assert.Equal(report.ValidationLoss, Reports[^1].Loss);

        public void OnEvaluation(EvaluationReport report) => Reports.Add(report);
    }
}
