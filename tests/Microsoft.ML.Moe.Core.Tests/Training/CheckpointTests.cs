using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

public sealed class CheckpointTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("moe").FullName;

    private string File => Path.Combine(_folder, "training.checkpoint");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(1)]
    [InlineData(4)] // the last step of an epoch
    [InlineData(6)]
    [InlineData(11)]
    public void TrainingThatIsTakenUpEndsAsIfItHadNotBeenInterrupted(int stepsBefore)
    {
        var expected = Weights(Config(), stop: null, out var epochs);
        var config = Kept(Config());

        Interrupted(config, stepsBefore);
        Assert.True(System.IO.File.Exists(File));
        var resumed = Weights(config, stop: null, out var rest);

        Assert.Equal(expected, resumed);
        Assert.Equal(epochs.TakeLast(rest.Count).Select(Comparable), rest.Select(Comparable));
        Assert.Equal(((stepsBefore - 1) / 4) + 1, rest[0].Epoch);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(6)]
    [InlineData(11)]
    public void WhoGoesOnIsToldOfTheLastEpoch(int stepsBefore)
    {
        Weights(Config(), stop: null, out var epochs);
        var config = Kept(Config());
        Interrupted(config, stepsBefore);
        using var engine = new ManagedEngine(1);
        var watcher = new Watcher(null, new object());
        var trainer = new TextClassifierTrainer(config, 3, engine);

        trainer.Train(ToyTable.Encoded(trainer.Input, 80, seed: 1), observer: watcher);

        var last = (stepsBefore - 1) / 4;
        Assert.Equal(last == 0 ? null : Comparable(epochs[last - 1]), watcher.Resumed is { } resumed ? Comparable(resumed) : null);
    }

    [Fact]
    public void WhatAFinishedTrainingHasLearnedStaysUntilAnotherTrainingEnds()
    {
        var config = Kept(Config());
        var expected = Weights(config, stop: null, out _);

        Assert.Equal(expected, Weights(config, stop: null, out var epochs));
        Assert.Empty(epochs);

        var other = config.WithTraining(t => t with { Seed = 9 });
        Assert.NotEqual(expected, Weights(other, stop: null, out epochs));
        Assert.NotEmpty(epochs);
        Weights(config, stop: null, out epochs);
        Assert.NotEmpty(epochs);
    }

    [Fact]
    public void AChangedBitAnywhereIsFoundOrDoesNoHarm()
    {
        var expected = Weights(Config(), stop: null, out _);
        var config = Kept(Config());
        Interrupted(config, 6);
        var bytes = System.IO.File.ReadAllBytes(File);
        var random = new Random(1);
        for (var i = 0; i < 60; i++)
        {
            var damaged = (byte[])bytes.Clone();
            damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
            System.IO.File.WriteAllBytes(File, damaged);
            try
            {
                // where a zip has room for what nobody reads
                Assert.Equal(expected, Weights(config, stop: null, out _));
            }
            catch (InvalidDataException e)
            {
                Assert.Contains(File, e.Message, StringComparison.Ordinal);
                Assert.Contains(nameof(TrainingConfig.CheckpointFile), e.Message, StringComparison.Ordinal);
            }
        }
    }

    [Theory]
    [InlineData("step", 65536)]
    [InlineData("step", -1)]
    [InlineData("epoch", 0)]
    [InlineData("epoch", 9)]
    public void ProgressThatIsImpossibleIsRefusedEvenWithTheRightDigest(string member, int value)
    {
        var config = Kept(Config());
        Interrupted(config, 6);
        using (var zip = ZipFile.Open(File, ZipArchiveMode.Update))
        {
            var json = Encoding.UTF8.GetString(Read(zip, "Progress.json"));
            var forged = Encoding.UTF8.GetBytes(Regex.Replace(json, $"\"{member}\": \\d+", $"\"{member}\": {value}"));
            Assert.NotEqual(json, Encoding.UTF8.GetString(forged));
            var digest = SHA256.HashData([.. forged, .. SHA256.HashData(Read(zip, "State.safetensors"))]);
            Replace(zip, "Progress.json", forged);
            Replace(zip, "Digest.txt", Encoding.ASCII.GetBytes(Convert.ToHexString(digest)));
        }

        var error = Assert.Throws<InvalidDataException>(() => Weights(config, stop: null, out _));

        Assert.Contains("progress is impossible", error.InnerException!.Message, StringComparison.Ordinal);

        static byte[] Read(ZipArchive zip, string name)
        {
            using var entry = zip.GetEntry(name)!.Open();
            using var content = new MemoryStream();
            entry.CopyTo(content);
            return content.ToArray();
        }

        static void Replace(ZipArchive zip, string name, byte[] content)
        {
            zip.GetEntry(name)!.Delete();
            using var entry = zip.CreateEntry(name).Open();
            entry.Write(content);
        }
    }

    [Fact]
    public void AFileThatCannotBeWrittenIsNamedBeforeTheFirstStep()
    {
        var path = Path.Combine(_folder, "nowhere", "training.checkpoint");
        var config = Config().WithTraining(t => t with { CheckpointFile = path });

        var error = Assert.Throws<IOException>(() => Weights(config, stop: null, out _));

        Assert.Contains(nameof(TrainingConfig.CheckpointFile), error.Message, StringComparison.Ordinal);
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TrainingGoesOnWhereALaterCheckpointCannotBeWritten()
    {
        var expected = Weights(Config(), stop: null, out _);
        var config = Kept(Config());
        using var engine = new ManagedEngine(1);
        var trainer = new TextClassifierTrainer(config, 3, engine);
        var observer = new FolderTaker(_folder);

        var model = trainer.Train(ToyTable.Encoded(trainer.Input, 80, seed: 1), observer: observer);

        Assert.Equal(expected, model.AllValues());
        Assert.Single(observer.Warnings);
        Assert.Contains(File, observer.Warnings[0], StringComparison.Ordinal);
        Directory.CreateDirectory(_folder);
    }

    [Fact]
    public void AStoppedTrainingKeepsWhatItHasAndCanBeGoneOnWith()
    {
        var expected = Weights(Config(), stop: null, out _);
        var config = Kept(Config());

        var stopped = Weights(config, stop: 6, out _);
        Assert.True(System.IO.File.Exists(File));
        var resumed = Weights(config, stop: null, out _);

        Assert.NotEqual(expected, stopped);
        Assert.Equal(expected, resumed);
    }

    [Fact]
    public void AnObserverThatThrowsAfterAnEpochLosesNothing()
    {
        var expected = Weights(Config(), stop: null, out _);
        var config = Kept(Config());

        using (var engine = new ManagedEngine(1))
        {
            var trainer = new TextClassifierTrainer(config, 3, engine);
            var rows = ToyTable.Encoded(trainer.Input, 80, seed: 1);
            Assert.Throws<FormatException>(() => trainer.Train(rows, observer: new ThrowingObserver()));
        }

        Assert.Equal(expected, Weights(config, stop: null, out var rest));
        Assert.Equal([2, 3], rest.Select(e => e.Epoch));
    }

    [Fact]
    public void AnEarlyEndIsRememberedAcrossInterruptions()
    {
        // rates so low that no validation loss changes, for better or worse
        var config = Config().WithTraining(t => t with
        {
            LearningRate = 1e-30f,
            EmbeddingLearningRate = 1e-30f,
            EarlyStoppingPatience = 1,
            MaxEpochs = 6,
        });
        Weights(config, stop: null, out var epochs);
        config = Kept(config);

        Interrupted(config, 5);
        Weights(config, stop: null, out var rest);

        Assert.InRange(epochs.Count, 2, 5);
        Assert.Equal(epochs[^1].Epoch, rest[^1].Epoch);
    }

    [Fact]
    public void ACheckpointOfOtherOptionsOrRowsIsRefused()
    {
        var config = Kept(Config());
        Interrupted(config, 3);
        var bytes = System.IO.File.ReadAllBytes(File);

        foreach (var other in new[]
        {
            config.WithTraining(t => t with { LearningRate = 2 * t.LearningRate }),
            config.WithTraining(t => t with { Seed = 9 }),
            config.WithTraining(t => t with { GlobalWorkspace = new GlobalWorkspaceSettings(0.5) }),
            config.WithEncoder(e => e with { Width = 32 }),
            config.WithEncoder(e => e with { Router = Router.Unified() }),
            config.WithInput(i => i with { MaximumTokens = 15 }),
            config with { Noise = new() { WordDropRate = 0 } },
            config with { LinearBranch = false },
        })
        {
            var error = Assert.Throws<InvalidDataException>(() => Weights(other, stop: null, out _));
            Assert.Contains("other options or rows", error.Message, StringComparison.Ordinal);
            Assert.Contains(File, error.Message, StringComparison.Ordinal);
        }

        Assert.Throws<InvalidDataException>(() => Weights(config, stop: null, out _, rows: 50));
        Assert.Equal(bytes, System.IO.File.ReadAllBytes(File));
    }

    [Fact]
    public void ADamagedCheckpointIsNamed()
    {
        var config = Kept(Config());
        Interrupted(config, 3);
        var bytes = System.IO.File.ReadAllBytes(File);

        foreach (var length in new[] { 0, 10, bytes.Length / 2, bytes.Length - 1 })
        {
            System.IO.File.WriteAllBytes(File, bytes[..length]);
            var error = Assert.Throws<InvalidDataException>(() => Weights(config, stop: null, out _));
            Assert.Contains(File, error.Message, StringComparison.Ordinal);
        }

        System.IO.File.WriteAllBytes(File, bytes);
        using (var zip = ZipFile.Open(File, ZipArchiveMode.Update))
            zip.GetEntry("State.safetensors")!.Delete();
        Assert.Throws<InvalidDataException>(() => Weights(config, stop: null, out _));
    }

    [Fact]
    public void TheNumberOfThreadsMayChange()
    {
        var config = Kept(Config());
        Interrupted(config, 3);

        Weights(config, stop: null, out var rest, threads: 2);

        Assert.Equal(3, rest[^1].Epoch);
    }

    private static EpochReport Comparable(EpochReport e) => e with { RowsPerSecond = 0, TimeLeft = default };

    private static TextClassifierConfig Config() => ToyTable.Config(3).WithTraining(t => t with { ValidationShare = 0.2f });

    private TextClassifierConfig Kept(TextClassifierConfig config) => config.WithTraining(t => t with { CheckpointFile = File });

    /// <summary>Trains until a step throws, as when the process is told to end.</summary>
    private static void Interrupted(TextClassifierConfig config, int steps)
    {
        using var engine = new ManagedEngine(1);
        var trainer = new TextClassifierTrainer(config, 3, engine);
        var rows = ToyTable.Encoded(trainer.Input, 80, seed: 1);
        Assert.Throws<OperationCanceledException>(() => trainer.Train(rows, observer: new Watcher(steps, new OperationCanceledException())));
    }

    private static float[] Weights(TextClassifierConfig config, int? stop, out List<EpochReport> epochs, int rows = 80, int threads = 1)
    {
        using var engine = new ManagedEngine(threads);
        using var source = new CancellationTokenSource();
        var watcher = new Watcher(stop, source);
        var trainer = new TextClassifierTrainer(config, 3, engine);
        var classifier = trainer.Train(ToyTable.Encoded(trainer.Input, rows, seed: 1), observer: watcher, stop: source.Token);
        epochs = watcher.Epochs;
        return classifier.AllValues();
    }

    private sealed class Watcher(int? steps, object end) : ITrainingObserver
    {
        private int _steps;

        public List<EpochReport> Epochs { get; } = [];

        public EpochReport? Resumed { get; private set; }

        public void OnEpoch(EpochReport report) => Epochs.Add(report);

        public void OnResumed(EpochReport last) => Resumed = last;

        public void OnStep(int epoch, int step, int steps1, double loss)
        {
            if (++_steps != steps)
                return;
            if (end is Exception exception)
                throw exception;
            ((CancellationTokenSource)end).Cancel();
        }
    }

    private sealed class ThrowingObserver : ITrainingObserver
    {
        public void OnEpoch(EpochReport report) => throw new FormatException();

        public void OnStep(int epoch, int step, int steps, double loss)
        {
        }
    }

    /// <summary>Deletes the folder of the checkpoint during the first step.</summary>
    private sealed class FolderTaker(string folder) : ITrainingObserver
    {
        public List<string> Warnings { get; } = [];

        public void OnEpoch(EpochReport report)
        {
        }

        public void OnStep(int epoch, int step, int steps, double loss)
        {
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
        }

        public void OnWarning(string message) => Warnings.Add(message);
    }
}
