using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>An image classifier that starts from an earlier one.</summary>
public sealed class ImageWarmStartTests : IDisposable
{
    private readonly ManagedEngine _engine = new(1);
    private readonly ImagePixels[] _images = [.. ToyImages.Rows(30, seed: 2).Select(row => row.Input)];

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void ItBeginsWhereTheEarlierOneEnded()
    {
        var first = Train(ToyImages.Config(6));

        var second = Train(ToyImages.Config(1).WithTraining(t => t.LearningNothing()), WarmStart.From(first, [0, 1, 2]));

        Assert.Equal(first.Scores(_images), second.Scores(_images), (a, b) => Math.Abs(a - b) < 1e-4f);
        Assert.NotEqual(first.Scores(_images), Train(ToyImages.Config(1)).Scores(_images), (a, b) => Math.Abs(a - b) < 1e-2f);
    }

    [Fact]
    public void PatchesScaleArchitectureAndRouterAreTheEarlierOnes()
    {
        var config = ToyImages.Config(1).WithEncoder(e => e with { Width = 24, Router = Router.Unified(1.5) }) with { PatchSize = 3, Convolutions = 1 };
        var first = Train(config);

        var second = Train(ToyImages.Config(1), WarmStart.From(first), seed: 7);

        Assert.Equal(first.Router, second.Router);
        Assert.Equal(first.Config.Encoder.Width, second.Config.Encoder.Width);
        var (earlier, later) = ((ImageInputConfig)((PatchInput)first.Input).Config, (ImageInputConfig)((PatchInput)second.Input).Config);
        Assert.Equal((3, 1), (later.PatchSize, later.Convolutions));
        Assert.Equal(earlier.Means, later.Means);
        Assert.Equal(earlier.Deviations, later.Deviations);
    }

    [Fact]
    public void ClassesThatBothKnowKeepWhatWasLearnedAndTheOthersStartAtRandom()
    {
        var first = Train(ToyImages.Config(2));

        var second = Train(ToyImages.Config(1).WithTraining(t => t.LearningNothing()), WarmStart.From(first, [2, 0, -1]));

        float[][] before = [.. first.Values("head.weight").Chunk(3)], after = [.. second.Values("head.weight").Chunk(3)];
        Assert.Equal(before.Select(row => row[2]), after.Select(row => row[0]), (a, b) => Math.Abs(a - b) < 1e-6f);
        Assert.Equal(before.Select(row => row[0]), after.Select(row => row[1]), (a, b) => Math.Abs(a - b) < 1e-6f);
        Assert.NotEqual(before.Select(row => row[1]), after.Select(row => row[2]), (a, b) => Math.Abs(a - b) < 1e-6f);
        Assert.Equal(first.Values("patches.weight"), second.Values("patches.weight"), (a, b) => Math.Abs(a - b) < 1e-6f);
    }

    [Theory]
    [InlineData(7, 6, 1)]
    [InlineData(6, 5, 1)]
    [InlineData(6, 6, 3)]
    public void ImagesOfAnotherSizeAreRefused(int width, int height, int channels)
    {
        var start = WarmStart.From(Train(ToyImages.Config(1)));

        var error = Assert.Throws<ArgumentException>(
            () => new ImageClassifierTrainer(ToyImages.Config(1), new ImageInput(width, height, channels), 3, _engine, start));

        Assert.Equal("start", error.ParamName);
        Assert.Contains($"6 × 6 × 1, these are of {width} × {height} × {channels}", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-2)]
    [InlineData(3)]
    public void ClassesThatTheEarlierModelDoesNotHaveAreRefused(int number)
    {
        var first = Train(ToyImages.Config(1));

        Assert.Equal("classes", Assert.Throws<ArgumentOutOfRangeException>(() => WarmStart.From(first, [0, number, 1])).ParamName);
    }

    private Model<ImagePixels> Train(ImageClassifierConfig config, WarmStart? start = null, int seed = 1) =>
        new ImageClassifierTrainer(config, ToyImages.Input, ToyImages.Classes, _engine, start).Train(ToyImages.Rows(60, seed));
}
