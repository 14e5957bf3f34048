using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Models;
using Microsoft.ML.Moe.Routing;
using Microsoft.ML.Moe.Training;

namespace Microsoft.ML.Moe.Tests.Training;

/// <summary>What images of a size, and their number, make of settings that are left at their defaults.</summary>
public class ImageRecipeTests
{
    [Theory]
    [InlineData(8, 8, null, null, ImageStem.Patches)]
    [InlineData(9, 8, null, null, ImageStem.Convolutional)]
    [InlineData(96, 64, null, null, ImageStem.Convolutional)]
    [InlineData(97, 64, null, null, ImageStem.Patches)]
    [InlineData(28, 28, 4, null, ImageStem.Patches)]
    [InlineData(28, 28, 4, ImageStem.Convolutional, ImageStem.Convolutional)]
    [InlineData(8, 8, null, ImageStem.Convolutional, ImageStem.Convolutional)]
    [InlineData(28, 28, null, ImageStem.Patches, ImageStem.Patches)]
    public void TheStemFollowsTheSize(int width, int height, int? patch, ImageStem? stem, ImageStem expected)
    {
        var images = new ImageInput(width, height, 1);
        var config = new ImageClassifierConfig { PatchSize = patch, Stem = stem }.For(images);

        Assert.Equal(expected, config.Stem);
        var measured = config.Measure([new Example<ImagePixels>(images.Encode(new float[images.Length]), 0)], images);
        Assert.Equal(expected == ImageStem.Convolutional, measured.Stem is not null);
        measured.Check();
    }

    [Fact]
    public void PatchesLeaveTheSettingsAsTheyAre()
    {
        var config = new ImageClassifierConfig();
        Assert.Equal(config with { Stem = ImageStem.Patches }, config.For(new ImageInput(8, 8, 1)));
    }

    [Fact]
    public void ConvolutionsReplaceWhatIsLeftAtItsDefault()
    {
        var config = new ImageClassifierConfig().For(new ImageInput(28, 28, 1));
        var encoder = config.Encoder.Check();
        Assert.Equal((64, 1, 2, 8, 128), (encoder.Width, encoder.Layers, encoder.Heads, encoder.Experts, encoder.ExpertWidth));
        Assert.Equal((2e-3f, 0.2f), (config.Training.LearningRate, config.Training.WarmupShare));
        Assert.Equal((1, 1), (encoder.Router.ExpertsPerToken, encoder.MoeLayers));

        var own = new ImageClassifierConfig
        {
            Encoder = new EncoderConfig { Width = 96, Layers = 3, Heads = 6, Experts = 5, ExpertWidth = 40, Router = Router.Unified(1.5) },
            Training = new TrainingConfig { LearningRate = 1e-4f, WarmupShare = 0 },
        };
        Assert.Equal(own with { Stem = ImageStem.Convolutional }, own.For(new ImageInput(28, 28, 1)));
    }

    [Fact]
    public void BlocksThatOptionsCountOnStay()
    {
        var every = new ImageClassifierConfig { Encoder = new EncoderConfig { MoeEvery = 2 } }.For(new ImageInput(28, 28, 1));
        Assert.Equal((2, 1), (every.Encoder.Layers, every.Encoder.Check().MoeLayers));

        var at = new EncoderConfig { MoeAt = new BlockNumbers([1]) };
        var last = new ImageClassifierConfig { Encoder = at }.For(new ImageInput(28, 28, 1));
        Assert.Equal((2, 1), (last.Encoder.Layers, last.Encoder.Check().MoeLayers));
    }

    [Fact]
    public void ManyImagesAreChangedLessAndNeverMirrored()
    {
        var usual = new AugmentationConfig();
        Assert.Equal(usual, ImageRecipe.Of(usual, 19_999));
        Assert.Equal(usual with { MaxShift = 0.04f, MaxZoom = 0, MaxRotation = 0, EraseRate = 0 }, ImageRecipe.Of(usual, 20_000));
        var own = new AugmentationConfig { MaxShift = 0.2f, MaxZoom = 0.3f, MaxRotation = 5, EraseRate = 0.5f, HorizontalFlip = true };
        Assert.Equal(own, ImageRecipe.Of(own, 20_000));
    }

    [Theory]
    [InlineData(1, 60)]
    [InlineData(2_500, 60)]
    [InlineData(5_000, 30)]
    [InlineData(10_000, 15)]
    [InlineData(60_000, 15)]
    [InlineData(100_000, 9)]
    [InlineData(1_000_000, 4)]
    public void PassesFollowTheNumberOfImages(int rows, int passes) => Assert.Equal(passes, EpochRule.ConvolutionalEpochsFor(rows));
}
