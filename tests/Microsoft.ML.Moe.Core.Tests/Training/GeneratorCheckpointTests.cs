using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>Trainings of models that write, taken up after an interruption.</summary>
public sealed class GeneratorCheckpointTests : IDisposable
{
    private const int Steps = 9;
    private readonly string _folder = Directory.CreateTempSubdirectory("moe").FullName;

    public static TheoryData<string, string> Cases { get; } = new()
    {
        { "accumulation", TinyGenerators.Switch },
        { "workspace by share of tokens", TinyGenerators.Switch },
        { "best by answers", TinyGenerators.Switch },
        { "evaluation within epochs", TinyCausal.Olmoe },
        { "experts in zeros, dropout, early stop", TinyCausal.Olmoe.With(("attention_dropout", 0.1)) },
    };

    private string File => Path.Combine(_folder, "training.checkpoint");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [MemberData(nameof(Cases))]
    public void InterruptedAtAnyStepATrainingEndsWithTheSameBits(string kind, string model)
    {
        var config = Config(kind);
        var metric = kind == "best by answers" ? Answers() : null;
        var (expected, epochs) = TinyGenerators.Train(model, config, metric);
        var kept = config with { Training = config.Training with { CheckpointFile = File } };

        for (var step = 1; step <= Steps; step++)
        {
            TinyGenerators.Train(model, kept, metric, interruptAfter: step);
            Assert.True(System.IO.File.Exists(File));
            var (resumed, rest) = TinyGenerators.Train(model, kept, metric);

            Assert.Equal(expected, resumed);
            Assert.Equal(epochs.TakeLast(rest.Count).Select(Comparable), rest.Select(Comparable));
            System.IO.File.Delete(File);
        }

        static object Comparable(EpochReport report) => report with { RowsPerSecond = 0, TimeLeft = default };
    }

    [Theory]
    [InlineData(TinyGenerators.Switch)]
    [InlineData(TinyCausal.Olmoe)]
    public void TheNumberOfThreadsChangesNoBit(string model)
    {
        var config = Config("workspace by share of tokens");

        Assert.Equal(TinyGenerators.Train(model, config).Weights, TinyGenerators.Train(model, config, threads: 3).Weights);
    }

    [Fact]
    public void ACheckpointOfAnotherTrainingIsRefused()
    {
        var config = Config("accumulation");
        var kept = config with { Training = config.Training with { CheckpointFile = File } };
        TinyGenerators.Train(TinyGenerators.Switch, kept, interruptAfter: 4);

        foreach (var other in new[]
        {
            kept with { Beta2 = 0.99f },
            kept with { ExpertLearningRate = 1e-3f },
            kept with { SkipsIdleExperts = false },
            kept with { Training = kept.Training with { Seed = 9 } },
        })
            Assert.Throws<InvalidDataException>(() => TinyGenerators.Train(TinyGenerators.Switch, other));

        Assert.Throws<InvalidDataException>(() => TinyGenerators.Train(TinyGenerators.Switch, kept, Answers()));
        Assert.Throws<InvalidDataException>(() => TinyGenerators.Train(TinyGenerators.Switch, kept, rows: 22));
    }

    private static GeneratorTrainingConfig Config(string kind)
    {
        var config = new GeneratorTrainingConfig { LoadBalancingCoefficient = 0.01f };
        var training = config.Training with { LearningRate = 3e-3f, BatchSize = 8, MaxEpochs = 3, Seed = 5 };
        return kind switch
        {
            "accumulation" => config with { Training = training with { AccumulationSteps = 3 } },
            "workspace by share of tokens" => config with
            {
                Training = training with { GlobalWorkspace = new GlobalWorkspaceSettings(0.3, EntropyUnit.ShareOfTokens), AccumulationSteps = 2 },
            },
            "evaluation within epochs" => config with { Training = training with { EvaluationSteps = 2 } },
            "experts in zeros, dropout, early stop" => config with
            {
                SkipsIdleExperts = false,
                Dropout = 0.1f,
                Training = training with { EarlyStoppingPatience = 2 },
            },
            _ => config with { Training = training },
        };
    }

    /// <summary>A score of the first letters of answers.</summary>
    private static AnswerMetric Answers() => new("low letters", answers => answers.Average(answer => 1.0 / (1 + answer[0])))
    {
        Generation = new GenerationOptions { MaximumNewTokens = 4, EndTokens = [TinyGenerators.End] },
    };
}
