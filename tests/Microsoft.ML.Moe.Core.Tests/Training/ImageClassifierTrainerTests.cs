using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tests.Routing;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

public class ImageClassifierTrainerTests
{
    [Theory]
    [InlineData(1, RouterKind.TokenChoice)]
    [InlineData(1, RouterKind.Unified)]
    [InlineData(0, RouterKind.TokenChoice)]
    public void LearnsATable(int moeEvery, RouterKind router)
    {
        using var engine = new ManagedEngine(2);
        var config = ToyImages.Config().WithEncoder(e => e with { MoeEvery = moeEvery, Router = Routers.Default(router) });

        var classifier = Train(engine, config, 300);

        Assert.InRange(classifier.Measure(ToyImages.Rows(150, seed: 2)).Metric, 0.95, 1);
    }

    [Fact]
    public void LearnsWithAGlobalWorkspace()
    {
        using var engine = new ManagedEngine(2);
        var workspace = new GlobalWorkspaceSettings(0.3, EntropyUnit.ShareOfTokens);

        var classifier = Train(engine, ToyImages.Config().WithTraining(t => t with { GlobalWorkspace = workspace }), 300);

        Assert.InRange(classifier.Measure(ToyImages.Rows(150, seed: 2)).Metric, 0.95, 1);
    }

    [Fact]
    public void SameSeedSameModelWhateverTheThreads()
    {
        Assert.Equal(TrainAndScore(threads: 1, seed: 7), TrainAndScore(threads: 2, seed: 7));
        Assert.NotEqual(TrainAndScore(threads: 2, seed: 7), TrainAndScore(threads: 2, seed: 8));
    }

    [Fact]
    public void ChangesOfTheImagesAreOnlyForTraining()
    {
        using var engine = new ManagedEngine(1);
        var classifier = Train(engine, ToyImages.Config(epochs: 1) with { Augmentation = new() { MaxRotation = 0, EraseRate = 0.9f } }, 48);
        ImagePixels[] images = [.. ToyImages.Rows(10, seed: 2).Select(r => r.Input)];

        Assert.Equal(classifier.Scores(images), classifier.Scores(images));
    }

    [Theory]
    [InlineData(null)]
    [InlineData(0.9f)]
    public void TrainingThatIsTakenUpEndsAsIfItHadNotBeenInterrupted(float? average)
    {
        var config = ToyImages.Config(epochs: 2).WithTraining(t => t with { WeightAverage = average });
        using var engine = new ManagedEngine(1);
        ImagePixels[] images = [.. ToyImages.Rows(10, seed: 2).Select(r => r.Input)];
        var expected = Train(engine, config, 48).Scores(images);
        var file = Path.Combine(Directory.CreateTempSubdirectory("moe").FullName, "training.checkpoint");
        config = config.WithTraining(t => t with { CheckpointFile = file });

        Assert.Throws<OperationCanceledException>(() => Train(engine, config, 48, new CancelAfter(4)));
        Assert.True(File.Exists(file));
        var other = Assert.Throws<InvalidDataException>(() => Train(engine, config, 51));
        var resumed = Train(engine, config, 48).Scores(images);

        Assert.Contains("belongs to a training with other options or rows", other.Message, StringComparison.Ordinal);
        Assert.Equal(expected, resumed);
        Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
    }

    [Fact]
    public void AnAverageTakesThePlaceOfTheLastWeights()
    {
        var (last, all, average) = (Scores(null), Scores(0f), Scores(0.9f));

        Assert.Equal(last, all, (a, b) => Math.Abs(a - b) < 1e-4f);
        Assert.NotEqual(last, average, (a, b) => Math.Abs(a - b) < 1e-3f);

        static float[] Scores(float? average)
        {
            using var engine = new ManagedEngine(1);
            var config = ToyImages.Config(epochs: 2).WithTraining(t => t with { WeightAverage = average });
            return Train(engine, config, 48).Scores([.. ToyImages.Rows(10, seed: 2).Select(r => r.Input)]);
        }
    }

    [Fact]
    public void TheBestEpochIsThatOfTheAverages()
    {
        using var engine = new ManagedEngine(1);
        var config = ToyImages.Config(epochs: 6).WithTraining(t => t with { WeightAverage = 0.95f });
        var (validation, losses) = (ToyImages.Rows(60, seed: 3), new Losses());

        var model = new ImageClassifierTrainer(config, ToyImages.Input, ToyImages.Classes, engine)
            .Train(ToyImages.Rows(120, seed: 1), validation, losses);

        Assert.Equal(6, losses.OfEpochs.Count);
        Assert.Equal(losses.OfEpochs.Min(), model.Measure(validation).Loss, 1e-6);
    }

    [Fact]
    public void ImpossibleRowsAreRefused()
    {
        using var engine = new ManagedEngine(1);
        var trainer = new ImageClassifierTrainer(ToyImages.Config(), ToyImages.Input, ToyImages.Classes, engine);
        var image = ToyImages.Rows(1, seed: 1)[0].Input;

        Assert.Throws<ArgumentException>(() => trainer.Train([]));
        Assert.Throws<ArgumentException>(() => trainer.Train([new(image, 3)]));
        Assert.Throws<ArgumentException>(() => trainer.Train([new(image, 0, -1)]));
        Assert.Throws<ArgumentException>(() => trainer.Train([new(new ImageInput(5, 6, 1).Encode(new float[30]), 0)]));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ImageClassifierTrainer(ToyImages.Config(), ToyImages.Input, 1, engine));
        Assert.Contains(
            "PatchSize",
            Assert.Throws<ArgumentOutOfRangeException>(
                () => new ImageClassifierTrainer(ToyImages.Config(), new ImageInput(129, 129, 1), 3, engine)).Message,
            StringComparison.Ordinal);
    }

    private static float[] TrainAndScore(int threads, int seed)
    {
        using var engine = new ManagedEngine(threads);
        var config = ToyImages.Config(epochs: 2).WithTraining(t => t with { Seed = seed })
            with { Augmentation = new() { HorizontalFlip = true, MaxRotation = 20 } };
        return Train(engine, config, 60).Scores([.. ToyImages.Rows(20, seed: 2).Select(r => r.Input)]);
    }

    private static Model<ImagePixels> Train(Engine engine, ImageClassifierConfig config, int rows, ITrainingObserver? observer = null) =>
        new ImageClassifierTrainer(config, ToyImages.Input, ToyImages.Classes, engine).Train(ToyImages.Rows(rows, seed: 1), null, observer);

    private sealed class Losses : ITrainingObserver
    {
        public List<double> OfEpochs { get; } = [];

        public void OnStep(int epoch, int step, int steps, double loss)
        {
        }

        public void OnEpoch(EpochReport report) => OfEpochs.Add(report.ValidationLoss!.Value);
    }

    private sealed class CancelAfter(int steps) : ITrainingObserver
    {
        private int _steps;

        public void OnStep(int epoch, int step, int steps1, double loss)
        {
            if (++_steps == steps)
                throw new OperationCanceledException();
        }

        public void OnEpoch(EpochReport report)
        {
        }
    }
}
