using Microsoft.ML.Moe.Generation;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.PublishedEncoders;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>Training of models that write: what is learned and what stays as it is.</summary>
public sealed class GeneratorTrainerTests : IDisposable
{
    private readonly ManagedEngine _engine = new(2);

    public static TheoryData<string> Models { get; } = [TinyGenerators.Switch, TinyGenerators.T5, TinyCausal.Olmoe, TinyCausal.Llama];

    public void Dispose() => _engine.Dispose();

    [Theory]
    [MemberData(nameof(Models))]
    public void AModelLearnsToWriteAnswers(string config)
    {
        var model = TinyGenerators.Create(_engine, config);
        var rows = TinyGenerators.Rows(model, 24);
        var before = model.Measure(rows).Loss;

        var trained = new GeneratorTrainer(Config(epochs: 40, rate: 1e-2f), model).Train(rows);

        Assert.Same(model, trained);
        Assert.InRange(trained.Measure(rows).Loss, 0, 0.6 * before);
        Assert.All(model.Parameters.All, p => Assert.False(p.Parameter.IsFrozen));
    }

    [Theory]
    [InlineData(TinyGenerators.Switch)]
    [InlineData(TinyCausal.Olmoe)]
    public void WhatHasNoLearningRateStaysAsItIs(string model)
    {
        foreach (var (config, isFrozen) in new (GeneratorTrainingConfig, Func<string, bool>)[]
        {
            (Frozen(t => t with { FreezeRouter = true }), name => name.Contains(".router.", StringComparison.Ordinal)),
            (Config() with { RouterLearningRate = 0 }, name => name.Contains(".router.", StringComparison.Ordinal)),
            (Config() with { ExpertLearningRate = 0 }, name => name.Contains(".experts.", StringComparison.Ordinal)),
            (Config() with { EmbeddingLearningRate = 0 }, name => name.StartsWith("embedding.", StringComparison.Ordinal)),
        })
        {
            var start = TinyGenerators.Create(_engine, model);
            var before = Values(start);

            new GeneratorTrainer(config, start).Train(TinyGenerators.Rows(start, 16));

            Assert.Contains(before.Keys.ToList(), name => isFrozen(name));
            Assert.All(Values(start), pair => Assert.Equal(isFrozen(pair.Key), before[pair.Key].SequenceEqual(pair.Value)));
        }

        GeneratorTrainingConfig Frozen(Func<TrainingConfig, TrainingConfig> change) => Config() with { Training = change(Config().Training) };
    }

    [Fact]
    public void ATableOfPositionsIsAnEmbeddingTableToo()
    {
        var start = TinyGenerators.Create(_engine, """
            { "model_type": "gpt2", "vocab_size": 40, "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 32 }
            """);
        var before = Values(start);

        new GeneratorTrainer(Config() with { EmbeddingLearningRate = 0 }, start).Train(TinyGenerators.Rows(start, 16));

        Assert.Contains("embedding.positions", before.Keys);
        Assert.All(Values(start), pair =>
            Assert.Equal(pair.Key.StartsWith("embedding.", StringComparison.Ordinal), before[pair.Key].SequenceEqual(pair.Value)));
    }

    [Fact]
    public void TheBestEpochIsThatOfTheBestAnswers()
    {
        var scores = new Queue<double>([0.2, 0.7, 0.1, 0.7]);
        var metric = new AnswerMetric("from a list", answers =>
        {
            Assert.Equal(5, answers.Count);
            Assert.All(answers, answer => Assert.InRange(answer.Count, 1, 6));
            return scores.Dequeue();
        })
        {
            Generation = new GenerationOptions { MaximumNewTokens = 6, EndTokens = [TinyGenerators.End] },
            BatchSize = 2,
        };
        var config = Config(epochs: 4);

        var (weights, epochs) = TinyGenerators.Train(TinyGenerators.Switch, config, metric);

        Assert.Equal([0.2, 0.7, 0.1, 0.7], epochs.Select(epoch => epoch.Score!.Value));
        Assert.Equal([true, true, false, false], epochs.Select(epoch => epoch.IsBest));
        // two epochs of four: the steps' rates are the same, and the third is not kept
        var stopped = Stopped(config, epochs: 2);
        Assert.Equal(stopped, weights);
    }

    [Fact]
    public void AnswersOfACausalModelContinueThePromptsAlone()
    {
        var model = TinyGenerators.Create(_engine, TinyCausal.Olmoe);
        var rows = TinyGenerators.Rows(model, 8);
        IReadOnlyList<IReadOnlyList<int>>? last = null;
        var metric = new AnswerMetric("share of right tokens", answers =>
        {
            last = answers;
            return answers.Zip(rows, (answer, row) => answer.SequenceEqual(row.Input.Ids!.Ids[row.Input.Ids.FirstTarget..]) ? 1.0 : 0).Average();
        })
        {
            Generation = new GenerationOptions { MaximumNewTokens = 8, EndTokens = [TinyGenerators.End] },
        };

        new GeneratorTrainer(Config(epochs: 150, rate: 1e-2f), model, metric).Train(rows, rows);

        var answers = new Generator(new CausalModel(model), metric.Generation).Generate(
            [.. rows.Select(row => row.Input.Ids!.Ids[..row.Input.Ids.FirstTarget])]);
        Assert.All(answers.Zip(rows), pair => Assert.Equal(pair.Second.Input.Ids!.Ids[pair.Second.Input.Ids.FirstTarget..], pair.First[0].Tokens));
        Assert.NotNull(last);
    }

    [Fact]
    public void CoefficientsOfRouterLossesAreThoseOfTheTraining()
    {
        var config = Config();
        var (plain, _) = TinyGenerators.Train(TinyGenerators.Switch, config);
        var (balanced, _) = TinyGenerators.Train(TinyGenerators.Switch, config with { LoadBalancingCoefficient = 1f });
        var (ownValues, _) = TinyGenerators.Train(
            TinyGenerators.Switch, config with { LoadBalancingCoefficient = 0.001f, RouterZLossCoefficient = 0.001f });

        Assert.NotEqual(plain, balanced);
        Assert.Equal(plain, ownValues);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void AdaptersLearnInPlaceOfTheWeights(string config)
    {
        var model = TinyGenerators.Create(_engine, config);
        var rows = TinyGenerators.Rows(model, 24);
        var (before, loss) = (Values(model), model.Measure(rows).Loss);

        var trained = new GeneratorTrainer(Adapting(epochs: 40, rate: 1e-2f), model).Train(rows);

        // a table that scores tokens as well as it reads them stays as it is
        Assert.InRange(trained.Measure(rows).Loss, 0, (config == TinyGenerators.Switch ? 0.99 : 0.8) * loss);
        Assert.All(Values(model), pair => Assert.Equal(before[pair.Key], pair.Value));
        Assert.All(model.Parameters.All, p => Assert.False(p.Parameter.IsFrozen));
        Assert.Equal(loss, model.Measure(rows).Loss);
        Assert.Equal(trained.Measure(rows).Loss, trained.Merged().Measure(rows).Loss, 1e-4);
        var again = new GeneratorTrainer(Config(epochs: 1, rate: 1e-3f), trained).Train(rows);
        Assert.Same(trained, again);
        Assert.All(Values(model), pair => Assert.Equal(before[pair.Key], pair.Value));
    }

    [Theory]
    [InlineData(TinyGenerators.Switch)]
    [InlineData(TinyCausal.Olmoe)]
    public void AdaptersOfWhatHasNoLearningRateStayAsTheyAre(string model)
    {
        foreach (var (config, frozen) in new[]
        {
            (Adapting() with { Training = Adapting().Training with { FreezeRouter = true } }, ".router."),
            (Adapting() with { RouterLearningRate = 0 }, ".router."),
            (Adapting() with { ExpertLearningRate = 0 }, ".experts."),
        })
        {
            var start = TinyGenerators.Create(_engine, model);
            var before = Values(start.WithAdapters(config.Adaptation!, config.Training.Seed));

            var trained = new GeneratorTrainer(config, start).Train(TinyGenerators.Rows(start, 16));

            var after = Values(trained);
            Assert.Contains(trained.Adapted, adapted => IsFrozen(adapted.Parameter));
            foreach (var (parameter, adapter, _) in trained.Adapted)
            {
                Assert.All(adapter.Parts.SelectMany(part => new[] { part.A.Name, part.B.Name }), name =>
                    Assert.Equal(IsFrozen(parameter), before[name].SequenceEqual(after[name])));
            }

            bool IsFrozen(Parameter parameter) => parameter.Name.Contains(frozen, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(TinyGenerators.Switch)]
    [InlineData(TinyCausal.Olmoe)]
    public void AdaptersLearnAtTheRatesOfWhatTheyAreBeside(string model)
    {
        var start = TinyGenerators.Create(_engine, model);
        var config = Adapting(epochs: 1) with { RouterLearningRate = 4e-3f, ExpertLearningRate = 2e-3f };
        config = config with { Training = config.Training with { BatchSize = 16, WarmupShare = 0f, Decay = LearningRateDecay.Constant } };

        var trained = new GeneratorTrainer(config, start).Train(TinyGenerators.Rows(start, 16));

        // AdamW's first step moves what is 0 by the learning rate, wherever the gradient is well over epsilon
        foreach (var (parameter, adapter, _) in trained.Adapted)
        {
            var rate = parameter.Name.Contains(".router.", StringComparison.Ordinal) ? 4e-3f
                : parameter.Name.Contains(".experts.", StringComparison.Ordinal) ? 2e-3f : 1e-3f;
            Assert.All(adapter.Parts, part => Assert.InRange(part.B.Value.ToArray().Max(Math.Abs), 0.99f * rate, 1.001f * rate));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AdaptersOfIdleExpertsStayAsTheyAreWhereThatIsAskedFor(bool skips)
    {
        var start = TinyGenerators.Create(_engine, TinyGenerators.Switch);
        // of equal logits each token takes the same expert
        foreach (var router in start.Parameters.Of(ParameterRole.Router))
            router.Value.CopyFrom(new float[router.Value.Length]);
        var config = Adapting() with
        {
            Adaptation = new LowRankAdaptation { Rank = 4, Layers = AdaptedLayers.Experts },
            SkipsIdleExperts = skips,
        };
        var before = Values(start.WithAdapters(config.Adaptation, config.Training.Seed));

        var trained = new GeneratorTrainer(config, start).Train(TinyGenerators.Rows(start, 16));

        Assert.Equal(4, trained.Adapted.Count);
        foreach (var part in trained.Adapted.SelectMany(adapted => adapted.Adapter.Parts))
        {
            Assert.Equal(skips ? 1 : 4, ExpertsThatChanged(part.A));
            Assert.Equal(1, ExpertsThatChanged(part.B));
        }

        int ExpertsThatChanged(Parameter parameter) =>
            before[parameter.Name].Chunk(parameter.Value.Length / 4).Zip(parameter.Value.ToArray().Chunk(parameter.Value.Length / 4))
                .Count(expert => !expert.First.SequenceEqual(expert.Second));
    }

    [Fact]
    public void RatesThatReachNothingAreTold()
    {
        var adapting = Adapting(epochs: 1) with { RouterLearningRate = 1e-3f, ExpertLearningRate = 1e-3f };
        Assert.Empty(Told(adapting, TinyGenerators.Switch));
        Assert.Empty(Told(Config(1) with { RouterLearningRate = 0f, EmbeddingLearningRate = 1e-3f }, TinyCausal.Llama));
        Assert.Equal(
            ["EmbeddingLearningRate has no effect: no adapters are beside embedding tables."],
            Told(adapting with { EmbeddingLearningRate = 1e-3f }, TinyGenerators.Switch));
        Assert.Equal(
            ["RouterLearningRate has no effect: no adapters are beside routers."],
            Told(adapting with { Adaptation = new LowRankAdaptation() }, TinyCausal.Olmoe));
        Assert.Equal(
            ["ExpertLearningRate has no effect: the model has no experts."],
            Told(Config(1) with { ExpertLearningRate = 1e-3f }, TinyCausal.Llama));

        List<string> Told(GeneratorTrainingConfig config, string model)
        {
            var warnings = new Warnings();
            var start = TinyGenerators.Create(_engine, model);
            new GeneratorTrainer(config, start).Train(TinyGenerators.Rows(start, 8), validation: [], warnings);
            return warnings.Told;
        }
    }

    [Fact]
    public void AdaptersThatAllAreFrozenHaveNothingToLearn()
    {
        var start = TinyGenerators.Create(_engine, TinyGenerators.Switch);
        var config = Config() with { Adaptation = new LowRankAdaptation { Layers = AdaptedLayers.Router } };
        config = config with { Training = config.Training with { FreezeRouter = true } };
        var error = Assert.Throws<InvalidOperationException>(() => new GeneratorTrainer(config, start).Train(TinyGenerators.Rows(start, 8)));
        Assert.Contains("FreezeRouter", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void AdaptersThatWereInterruptedEndAsIfTheyHadNotBeen(int steps)
    {
        using var folder = new TemporaryFolder();
        var config = Adapting(epochs: 3, rate: 1e-2f);
        var (expected, _) = TinyGenerators.Train(TinyCausal.Olmoe, config);
        var file = Path.Combine(folder.Path, "checkpoint");
        config = config with { Training = config.Training with { CheckpointFile = file } };

        TinyGenerators.Train(TinyCausal.Olmoe, config, interruptAfter: steps);
        var model = TinyGenerators.Create(_engine, TinyCausal.Olmoe);
        var learned = model.WithAdapters(config.Adaptation!).TrainedParameterCount;
        // values, those of the best epoch, two moments and steps
        Assert.InRange(new FileInfo(file).Length, 4 * learned, 4 * 5 * learned + 60000);
        var (resumed, _) = TinyGenerators.Train(TinyCausal.Olmoe, config);

        Assert.Equal(expected, resumed);
    }

    [Fact]
    public void ImpossibleTrainingsAreRefused()
    {
        var dense = TinyGenerators.Create(_engine, TinyCausal.Llama);
        var sparse = TinyGenerators.Create(_engine, TinyGenerators.Switch);
        var workspace = Config() with { Training = Config().Training with { GlobalWorkspace = GlobalWorkspace.Glue } };

        Assert.Contains("GlobalWorkspace", Assert.Throws<ArgumentException>(() => new GeneratorTrainer(workspace, dense)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new GeneratorTrainer(Config(), sparse).Train([Row(new TokenIds([5, 1]))]));
        Assert.Throws<ArgumentException>(() => new GeneratorTrainer(Config(), sparse).Train([Row(new TokenIds([5, 1]) { Targets = [-100] })]));
        Assert.Throws<ArgumentException>(() => new GeneratorTrainer(Config(), dense).Train([Row(new TokenIds([5, 1]) { FirstTarget = 2 })]));
        Assert.Throws<ArgumentException>(() => new GeneratorTrainer(Config(), dense).Train([Row(new TokenIds(new int[65]))]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Config() with { RouterLearningRate = -1 });
        var adapted = dense.WithAdapters(new LowRankAdaptation());
        Assert.Contains("Adaptation", Assert.Throws<ArgumentException>(() => new GeneratorTrainer(Adapting(), adapted)).Message, StringComparison.Ordinal);

        static Example<EncodedText> Row(TokenIds ids) => new(new EncodedText(ids, 0, isEmpty: false), 0f);
    }

    private static GeneratorTrainingConfig Config(int epochs = 2, float rate = 1e-3f) => new()
    {
        Training = new GeneratorTrainingConfig().Training with { LearningRate = rate, BatchSize = 8, MaxEpochs = epochs, Seed = 1 },
    };

    private static GeneratorTrainingConfig Adapting(int epochs = 2, float rate = 1e-3f) =>
        Config(epochs, rate) with { Adaptation = new LowRankAdaptation { Rank = 4, Layers = AdaptedLayers.Everything } };

    private static float[] Stopped(GeneratorTrainingConfig config, int epochs)
    {
        using var engine = new ManagedEngine(1);
        using var stop = new CancellationTokenSource();
        var start = TinyGenerators.Create(engine, TinyGenerators.Switch);
        new GeneratorTrainer(config, start).Train(
            TinyGenerators.Rows(start, 23), validation: [], new StopAfter(epochs, stop), stop.Token);
        return start.AllValues();
    }

    private static Dictionary<string, float[]> Values(Model<EncodedText> model) =>
        model.Parameters.All.ToDictionary(p => p.Parameter.Name, p => p.Parameter.Value.ToArray());

    private sealed class Warnings : ITrainingObserver
    {
        public List<string> Told { get; } = [];

        public void OnWarning(string message) => Told.Add(message);

        public void OnEpoch(EpochReport report)
        {
        }

        public void OnStep(int epoch, int step, int steps, double loss)
        {
        }
    }

    private sealed class StopAfter(int epochs, CancellationTokenSource stop) : ITrainingObserver
    {
        public void OnEpoch(EpochReport report)
        {
            if (report.Epoch == epochs)
                stop.Cancel();
        }

        public void OnStep(int epoch, int step, int steps, double loss)
        {
        }
    }
}
