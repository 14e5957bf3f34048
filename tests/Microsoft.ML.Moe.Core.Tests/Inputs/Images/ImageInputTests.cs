using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Tests.Inputs;

public class ImageInputTests
{
    private static readonly ImageInput Input = new(2, 2, 1);

    [Fact]
    public void PixelsOfTheRightSizeAreKept()
    {
        Assert.Equal([1f, -2f, 3.5f, 0f], Values(Input.Encode([1f, -2f, 3.5f, 0f])));
        Assert.Equal([9f, 8f, 7f, 255f], Values(Input.Encode([9, 8, 7, 255], 2, 2)));
    }

    [Fact]
    public void OtherSizesAreResized() => Assert.Equal([5f, 5f, 5f, 5f], Values(Input.Encode([5, 5, 5], 3, 1)));

    [Fact]
    public void ImpossibleImagesAreRefused()
    {
        Assert.Throws<ArgumentException>(() => Input.Encode([1f, 2f, 3f]));
        Assert.Throws<ArgumentException>(() => Input.Encode([1f, 2f, 3f, float.NaN]));
        Assert.Throws<ArgumentException>(() => Input.Encode([1f, 2f, 3f, float.PositiveInfinity]));
        Assert.Throws<ArgumentException>(() => Input.Encode([1, 2, 3], 2, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => Input.Encode([], 0, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ImageInput(0, 1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ImageInput(1, ImageInput.MaximumSide + 1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ImageInput(1, 1, ImageInput.MaximumChannels + 1));
    }

    [Fact]
    public void ChannelsAreBroughtToMeanZeroAndDeviationOne()
    {
        var input = new ImageInput(2, 1, 3);
        // the last channel never changes
        ImagePixels[] images = [input.Encode([1f, 10f, 7f, 3f, 30f, 7f]), input.Encode([5f, 50f, 7f, 7f, 70f, 7f])];

        var scale = ChannelScale.Of(images, input);

        Assert.Equal([4f, 40f, 7f], scale.Means);
        Assert.Equal([MathF.Sqrt(5), 10 * MathF.Sqrt(5), 1f], scale.Deviations.Select(d => d));
        var scaled = new float[6];
        scale.CopyTo(images[0], scaled);
        Assert.Equal([-3 / MathF.Sqrt(5), -3 / MathF.Sqrt(5), 0f, -1 / MathF.Sqrt(5), -1 / MathF.Sqrt(5), 0f], scaled, (a, b) => MathF.Abs(a - b) < 1e-6f);
    }

    private static float[] Values(ImagePixels image)
    {
        var values = new float[image.Length];
        image.CopyTo(values);
        return values;
    }
}
