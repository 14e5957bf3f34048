using Microsoft.ML.Moe.Images;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
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
        var options = ToyImages.Options();
        (options.MoeEvery, options.Router) = (moeEvery, router);

        var classifier = Train(engine, options, 300);

        Assert.InRange(Evaluation.Of(classifier, ToyImages.Rows(150, seed: 2)).Accuracy, 0.95, 1);
    }

    [Fact]
    public void LearnsWithAGlobalWorkspace()
    {
        using var engine = new ManagedEngine(2);
        var options = ToyImages.Options();
        options.GlobalWorkspace = new GlobalWorkspaceSettings(0.3, EntropyUnit.ShareOfTokens);

        var classifier = Train(engine, options, 300);

        Assert.InRange(Evaluation.Of(classifier, ToyImages.Rows(150, seed: 2)).Accuracy, 0.95, 1);
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
        var options = ToyImages.Options(epochs: 1);
        options.EraseRate = 0.9f;
        var classifier = Train(engine, options, 48);
        ImagePixels[] images = [.. ToyImages.Rows(10, seed: 2).Select(r => r.Input)];

        Assert.Equal(Score(classifier, images), Score(classifier, images));
    }

    [Fact]
    public void TrainingThatIsTakenUpEndsAsIfItHadNotBeenInterrupted()
    {
        var options = ToyImages.Options(epochs: 2);
        using var engine = new ManagedEngine(1);
        ImagePixels[] images = [.. ToyImages.Rows(10, seed: 2).Select(r => r.Input)];
        var expected = Score(Train(engine, options, 48), images);
        var file = Path.Combine(Directory.CreateTempSubdirectory("moe").FullName, "training.checkpoint");
        options.CheckpointFile = file;

        Assert.Throws<OperationCanceledException>(() => Train(engine, options, 48, new CancelAfter(4)));
        Assert.True(File.Exists(file));
        var other = Assert.Throws<InvalidDataException>(() => Train(engine, options, 51));
        var resumed = Score(Train(engine, options, 48), images);

        Assert.Contains("belongs to a training with other options or rows", other.Message, StringComparison.Ordinal);
        Assert.Equal(expected, resumed);
        Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
    }

    [Fact]
    public void ImpossibleRowsAreRefused()
    {
        using var engine = new ManagedEngine(1);
        var trainer = new ImageClassifierTrainer(ToyImages.Options(), ToyImages.Input, ToyImages.Classes, engine);
        var image = ToyImages.Rows(1, seed: 1)[0].Input;

        Assert.Throws<ArgumentException>(() => trainer.Train([]));
        Assert.Throws<ArgumentException>(() => trainer.Train([new(image, 3)]));
        Assert.Throws<ArgumentException>(() => trainer.Train([new(image, 0, -1)]));
        Assert.Throws<ArgumentException>(() => trainer.Train([new(new ImageInput(5, 6, 1).Encode(new float[30]), 0)]));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ImageClassifierTrainer(ToyImages.Options(), ToyImages.Input, 1, engine));
        Assert.Contains(
            "PatchSize",
            Assert.Throws<ArgumentOutOfRangeException>(
                () => new ImageClassifierTrainer(ToyImages.Options(), new ImageInput(129, 129, 1), 3, engine)).Message,
            StringComparison.Ordinal);
    }

    private static float[] TrainAndScore(int threads, int seed)
    {
        using var engine = new ManagedEngine(threads);
        var options = ToyImages.Options(epochs: 2);
        (options.Seed, options.HorizontalFlip, options.MaxRotation) = (seed, true, 20);
        return Score(Train(engine, options, 60), [.. ToyImages.Rows(20, seed: 2).Select(r => r.Input)]);
    }

    private static ImageClassifier Train(Engine engine, ImageClassifierOptions options, int rows, ITrainingObserver? observer = null) =>
        new ImageClassifierTrainer(options, ToyImages.Input, ToyImages.Classes, engine).Train(ToyImages.Rows(rows, seed: 1), null, observer);

    private static float[] Score(ImageClassifier classifier, ImagePixels[] images)
    {
        var probabilities = new float[images.Length * classifier.ClassCount];
        classifier.Score(images, probabilities);
        return probabilities;
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
