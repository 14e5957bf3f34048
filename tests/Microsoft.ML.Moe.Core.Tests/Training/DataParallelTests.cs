using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>Trainings that several ranks share.</summary>
public sealed class DataParallelTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TheModelOfTextsIsTheSameWhateverTheNumberOfRanks()
    {
        var expected = Assert.Single(Texts(1));
        Assert.All(Texts(2), weights => Assert.Equal(expected, weights));
        Assert.All(Texts(4), weights => Assert.Equal(expected, weights));
        Assert.NotEqual(expected, Assert.Single(Texts(1, shards: 4)));
    }

    [Fact]
    public void TheModelOfFeaturesIsTheSameWhateverTheNumberOfRanks()
    {
        var expected = Assert.Single(Features(1));
        Assert.All(Features(2), weights => Assert.Equal(expected, weights));
        Assert.All(Features(8), weights => Assert.Equal(expected, weights));
    }

    [Fact]
    public void OneShardIsTheTrainingOfOneProcess()
    {
        var rows = FeatureTrainerTests.Rows(60, row => row[0]);
        using var engine = new ManagedEngine(1);
        float[] Train(DataParallel? parallel)
        {
            var config = FeatureTrainerTests.Tiny();
            config = config with
            {
                // random numbers of a step are those of its only shard
                Encoder = config.Encoder with { Dropout = 0f },
                Training = config.Training with { DataParallel = parallel },
            };
            return FeatureTrainerTests.Score(new FeatureTrainer(config, 3, FeatureTask.Value, engine).Train(rows), rows);
        }

        var (alone, shared) = (Train(null), ThreadRanks.Run(1, ranks => Train(new DataParallel(ranks, shards: 1)))[0]);
        Assert.Equal(alone, shared);
    }

    [Fact]
    public void RanksThatAreInterruptedGoOnFromTheCheckpointOfTheFirst()
    {
        var expected = Assert.Single(Texts(1));
        var file = _folder["training.checkpoint"];
        Assert.Throws<InvalidOperationException>(() => Texts(2, file, new Counter(stopAfter: 6, rank => throw new FormatException($"{rank}"))));
        Assert.True(File.Exists(file));
        Assert.All(Texts(4, file), weights => Assert.Equal(expected, weights));
    }

    [Fact]
    public void AStopOfOneRankIsOneOfAll()
    {
        using var source = new CancellationTokenSource();
        var counter = new Counter(stopAfter: 5, rank =>
        {
            if (rank == 1)
                source.Cancel();
        });
        var models = Texts(2, checkpoint: null, counter, rank => rank == 1 ? source.Token : CancellationToken.None);
        Assert.Equal(models[0], models[1]);
        Assert.Equal(counter.Steps[0], counter.Steps[1]);
        Assert.InRange(counter.Steps[0], 5, 7);
    }

    [Fact]
    public void WhatRanksGainIsToldOnceBeforeTheFirstStep()
    {
        var logs = ThreadRanks.Run(2, ranks =>
        {
            using var engine = new ManagedEngine(1);
            var trainer = new TextClassifierTrainer(Texts(ranks, 8), 3, engine);
            var log = new Log();
            trainer.Train(ToyTable.Encoded(trainer.Input, 80, seed: 1), observer: log);
            return log.Lines;
        });
        foreach (var log in logs)
        {
            var told = log.FindIndex(line => line.StartsWith("2 ranks will take", StringComparison.Ordinal));
            Assert.InRange(told, 0, log.IndexOf("step"));
            Assert.Single(log, line => line.StartsWith("2 ranks will take", StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData(1.0, 1.6)] // a rank computes 4 of 8 shards, a millisecond each, and exchanges a header and a message
    [InlineData(40.0, 8.0 / 44)]
    public void SlowExchangeIsWarnedOf(double exchange, double speed)
    {
        var results = ThreadRanks.Run(2, ranks =>
        {
            var clock = new Clock();
            using var engine = new ManagedEngine(1);
            var parameter = engine.CreateParameter("weight", [1], [1f]);
            using var steps = new DataParallelSteps(new DataParallel(new SlowRanks(ranks, clock, exchange / 2)), [parameter], default, clock);
            var result = steps.Probe(_ =>
            {
                clock.Advance(1);
                return 0.5;
            });
            Assert.Null(parameter.Value.TakeGradient(new GradientBuffers()));
            return result!.Value;
        });
        Assert.All(results, result =>
        {
            Assert.Equal(4, result.Gain.Computing, 6);
            Assert.Equal(8, result.Gain.ComputingAlone, 6);
            Assert.Equal(exchange, result.Gain.Exchange, 6);
            Assert.Equal(speed, result.Gain.Speed, 6);
            Assert.Equal(speed < 1, result.Advice is not null);
        });
        if (speed < 1)
            Assert.Contains("Start one rank", results[0].Advice, StringComparison.Ordinal);
    }

    [Fact]
    public void ARankAloneMeasuresNothing()
    {
        var result = ThreadRanks.Run(1, ranks =>
        {
            using var steps = new DataParallelSteps(new DataParallel(ranks), [], default);
            return steps.Probe(_ => throw new InvalidOperationException("It computes."));
        });
        Assert.Null(result[0]);
    }

    [Theory]
    [InlineData("1111", "1000", "1111")]
    [InlineData("0001", "0000", "0110")]
    [InlineData("0011", "1100", "1010")]
    public void ABatchHasTheSumOfItsShardsGradients(params string[] steps)
    {
        // long ones travel apart from others, and memory goes from step to step
        int[] lengths = [5000, 3];
        var results = ThreadRanks.Run(2, ranks =>
        {
            using var engine = new ManagedEngine(1);
            var parameters = Array.ConvertAll(lengths, length => engine.CreateParameter($"{length}", [length], new float[length]));
            using var parallel = new DataParallelSteps(new DataParallel(ranks, 4), parameters, default);
            return Array.ConvertAll(steps, step =>
            {
                parallel.Accumulate(shard =>
                {
                    foreach (var parameter in parameters)
                        parameter.Value.PutGradient(step[shard] == '1' ? Of(parameter.Value.Length, shard) : null, new GradientBuffers());
                    return 0;
                });
                return Array.ConvertAll(parameters, parameter =>
                {
                    var gradient = new float[parameter.Value.Length];
                    parameter.Value.CopyGradientTo(gradient);
                    return gradient;
                });
            });
        });
        foreach (var found in results)
            for (var step = 0; step < steps.Length; step++)
                for (var i = 0; i < lengths.Length; i++)
                    Assert.Equal(Enumerable.Range(0, lengths[i]).Select(place => Sum(steps[step], place)), found[step][i]);

        static float Sum(string step, int place) => Enumerable.Range(0, step.Length).Sum(shard => step[shard] == '1' ? Value(shard, place) : 0f);

        static float Value(int shard, int place) => (shard + 1) * (place % 7 + 1);

        static ParameterGradient Of(int length, int shard)
        {
            var values = new MemoryBlock(length);
            for (var i = 0; i < length; i++)
                values.Span[i] = Value(shard, i);
            return new ParameterGradient { Length = length, Memory = values };
        }
    }

    [Fact]
    public void RanksThatCannotShareABatchAreRefused()
    {
        Assert.All(Refused(3, ranks => new DataParallel(ranks)), message => Assert.Contains("3 ranks", message, StringComparison.Ordinal));
        Assert.All(Refused(2, ranks => new DataParallel(ranks, 1)), message => Assert.Contains("2 ranks", message, StringComparison.Ordinal));
        Assert.All(Refused(1, ranks => new DataParallel(ranks, 6)), message => Assert.Contains("6 shards", message, StringComparison.Ordinal));
        Assert.NotEmpty(Refused(1, ranks => new DataParallel(ranks, 2048)));

        static string[] Refused(int size, Func<ICommunicator, DataParallel> create) =>
            ThreadRanks.Run(size, ranks => Assert.ThrowsAny<ArgumentException>(() => create(ranks)).Message);
    }

    [Fact]
    public void ModelsThatDifferAreTold()
    {
        var error = Assert.Throws<InvalidOperationException>(() => ThreadRanks.Run(2, ranks =>
        {
            using var engine = new ManagedEngine(1);
            var config = Texts(ranks, 8).WithEncoder(e => e with { ExpertWidth = (1 + ranks.Rank) * e.ExpertWidth });
            var trainer = new TextClassifierTrainer(config, 3, engine);
            return trainer.Train(ToyTable.Encoded(trainer.Input, 80, seed: 1));
        }));
        Assert.IsType<InvalidDataException>(error.InnerException);
    }

    [Theory]
    [InlineData("seed")]
    [InlineData("label")]
    [InlineData("order")]
    [InlineData("rate")]
    public void RanksThatTrainSomethingElseAreNamedOnAllOfThem(string difference)
    {
        var messages = ThreadRanks.Run(4, ranks =>
        {
            using var engine = new ManagedEngine(1);
            var isOdd = ranks.Rank == 2;
            var config = Texts(ranks, 8).WithTraining(t => t with
            {
                Seed = isOdd && difference == "seed" ? t.Seed + 1 : t.Seed,
                LearningRate = isOdd && difference == "rate" ? 2 * t.LearningRate : t.LearningRate,
            });
            var trainer = new TextClassifierTrainer(config, 3, engine);
            var rows = ToyTable.Encoded(trainer.Input, 80, seed: 1);
            if (isOdd && difference == "label")
                rows[7] = rows[7] with { Target = (rows[7].Target + 1) % 3 };
            if (isOdd && difference == "order")
                (rows[0], rows[1]) = (rows[1], rows[0]);
            return Assert.Throws<InvalidDataException>(() => trainer.Train(rows)).Message;
        });
        Assert.All(messages, message => Assert.StartsWith("Rank 2 has other options, other rows", message, StringComparison.Ordinal));
    }

    [Fact]
    public void RanksThatSeeDifferentCheckpointsAreNamed()
    {
        var file = _folder["training.checkpoint"];
        Assert.Throws<InvalidOperationException>(() => Texts(2, file, new Counter(stopAfter: 6, rank => throw new FormatException($"{rank}"))));
        var messages = ThreadRanks.Run(2, ranks =>
        {
            using var engine = new ManagedEngine(1);
            var config = Texts(ranks, 8).WithTraining(t => t with { CheckpointFile = ranks.Rank == 0 ? file : _folder["none"] });
            var trainer = new TextClassifierTrainer(config, 3, engine);
            return Assert.Throws<InvalidDataException>(() => trainer.Train(ToyTable.Encoded(trainer.Input, 80, seed: 1))).Message;
        });
        Assert.All(messages, message => Assert.Matches(
            "^Rank 1 would go on after step 0 of epoch 1, rank 0 after step [0-9]+ of epoch [0-9]+: .*CheckpointFile", message));
        Assert.DoesNotContain("rank 0 after step 0 of epoch 1:", messages[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, 1, 3)]
    [InlineData(4, 2, 1)]
    [InlineData(4, 0, 5)]
    [InlineData(8, 5, 2)]
    [InlineData(2, 0, int.MaxValue)] // when all steps are taken
    [InlineData(4, 3, int.MaxValue)]
    public void WhatFailsOnOneRankEndsAllOfThem(int size, int failing, int step)
    {
        var errors = ThreadRanks.Run(size, ranks =>
        {
            using var engine = new ManagedEngine(1);
            var trainer = new TextClassifierTrainer(Texts(ranks, 8), 3, engine);
            var rows = ToyTable.Encoded(trainer.Input, 80, seed: 1);
            var observer = ranks.Rank == failing ? new Failing(step) : null;
            return Assert.ThrowsAny<Exception>(() => trainer.Train(rows, observer: observer));
        });
        Assert.IsType<FormatException>(errors[failing]);
        Assert.All(errors.Where((_, rank) => rank != failing), error =>
        {
            Assert.IsAssignableFrom<InvalidOperationException>(error);
            Assert.StartsWith($"Rank {failing} has failed", error.Message, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void ProcessorsThatComputeWithOtherBitsAreNamed()
    {
        var start = new RankStart(new string('0', 64), 512, 2, 5, IsFinished: false);
        RankStart.Check([start, start with { }]);
        var error = Assert.Throws<InvalidOperationException>(() => RankStart.Check([start, start, start with { VectorBits = 256 }]));
        Assert.Contains("Rank 2", error.Message, StringComparison.Ordinal);
        Assert.Contains("DOTNET_EnableAVX512=0", error.Message, StringComparison.Ordinal);
        var bytes = new byte[RankStart.Bytes];
        (start with { Training = "0123456789ABCDEF" + new string('7', 48), IsFinished = true }).Write(bytes);
        Assert.Equal(start with { Training = "0123456789ABCDEF" + new string('7', 48), IsFinished = true }, RankStart.Read(bytes));
    }

    [Theory]
    [InlineData(new[] { 0, 3 }, new[] { 1, 3, 5 }, "0 1 3 5", "1 1 4 4 7 7 6 6")]
    [InlineData(new int[0], new[] { 2 }, "2", "3 3")]
    [InlineData(new[] { 2 }, new int[0], "2", "1 1")]
    public void RowsOfTwoGradientsAreMerged(int[] one, int[] other, string rows, string values)
    {
        // rows of the first hold 1, 2, …, those of the second 4, 5, … or 3, 4, …
        var sum = ParameterGradient.Sum(Of(one, 1), Of(other, one.Length == 2 ? 4 : 3), new GradientBuffers())!;
        Assert.Equal(rows, string.Join(' ', sum.Rows!));
        Assert.Equal(values, string.Join(' ', sum.Values.ToArray()));

        static ParameterGradient Of(int[] rows, int first)
        {
            var values = new MemoryBlock(2 * rows.Length);
            for (var i = 0; i < values.Length; i++)
                values.Span[i] = first + i / 2;
            return new ParameterGradient { Rows = rows, Length = values.Length, Memory = values };
        }
    }

    private static TextClassifierConfig Texts(ICommunicator ranks, int shards) => ToyTable.Config(3)
        .WithTraining(t => t with { ValidationShare = 0.2f, DataParallel = new DataParallel(ranks, shards) });

    private static float[][] Texts(
        int size, string? checkpoint = null, Counter? counter = null, Func<int, CancellationToken>? stop = null, int shards = 8) =>
        ThreadRanks.Run(size, ranks =>
        {
            using var engine = new ManagedEngine(1);
            var trainer = new TextClassifierTrainer(Texts(ranks, shards).WithTraining(t => t with { CheckpointFile = checkpoint }), 3, engine);
            var rows = ToyTable.Encoded(trainer.Input, 80, seed: 1);
            return trainer.Train(rows, observer: counter?.Of(ranks.Rank), stop: stop?.Invoke(ranks.Rank) ?? default).AllValues();
        });

    private static float[][] Features(int size) => ThreadRanks.Run(size, ranks =>
    {
        using var engine = new ManagedEngine(1);
        var config = FeatureTrainerTests.Tiny();
        config = config with { Networks = 2, Training = config.Training with { MaxEpochs = 3, DataParallel = new DataParallel(ranks) } };
        var rows = FeatureTrainerTests.Rows(100, row => row[0] > 0 ? 1 : 0);
        return FeatureTrainerTests.Score(new FeatureTrainer(config, 3, FeatureTask.Binary, engine).Train(rows), rows);
    });

    /// <summary>Lines of the log, and "step" for each step.</summary>
    private sealed class Log : ITrainingObserver
    {
        public List<string> Lines { get; } = [];

        public void OnStep(int epoch, int step, int steps, double loss) => Lines.Add("step");

        public void OnEpoch(EpochReport report)
        {
        }

        public void OnMessage(string message) => Lines.Add(message);
    }

    /// <summary>Throws at a step, or when the training has come to its end.</summary>
    private sealed class Failing(int at) : ITrainingObserver
    {
        private int _steps;

        public void OnStep(int epoch, int step, int steps, double loss)
        {
            if (++_steps == at)
                throw new FormatException("a step");
        }

        public void OnEpoch(EpochReport report)
        {
            if (at == int.MaxValue && report.Epoch == report.Epochs)
                throw new FormatException("the end");
        }
    }

    /// <summary>A clock that goes on when it is told to.</summary>
    private sealed class Clock : TimeProvider
    {
        private long _ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _ticks;

        public void Advance(double milliseconds) => _ticks += (long)(milliseconds * TimeSpan.TicksPerMillisecond);
    }

    /// <summary>Ranks whose exchange takes time on a clock.</summary>
    private sealed class SlowRanks(ICommunicator ranks, Clock clock, double milliseconds) : ICommunicator
    {
        public int Rank => ranks.Rank;

        public int Size => ranks.Size;

        public void Exchange(int partner, ReadOnlySpan<byte> send, Span<byte> receive)
        {
            clock.Advance(milliseconds);
            ranks.Exchange(partner, send, receive);
        }
    }

    private sealed class Counter(int stopAfter, Action<int> end)
    {
        public int[] Steps { get; } = new int[8];

        public ITrainingObserver Of(int rank) => new Observer(this, rank);

        private sealed class Observer(Counter counter, int rank) : ITrainingObserver
        {
            public void OnStep(int epoch, int step, int steps, double loss)
            {
                if (++counter.Steps[rank] == counter.StopAfter)
                    counter.End(rank);
            }

            public void OnEpoch(EpochReport report)
            {
            }
        }

        private int StopAfter => stopAfter;

        private void End(int rank) => end(rank);
    }
}
