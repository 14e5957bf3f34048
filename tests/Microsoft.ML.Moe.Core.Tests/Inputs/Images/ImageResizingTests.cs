using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Tests.Inputs;

public class ImageResizingTests
{
    [Theory]
    [InlineData(5, 7, 3, 2)]
    [InlineData(3, 2, 9, 8)]
    [InlineData(1, 1, 4, 4)]
    [InlineData(16, 1, 1, 16)]
    public void AnImageOfOneColourStaysOfOneColour(int width, int height, int newWidth, int newHeight)
    {
        byte[] colour = [10, 200, 255];
        byte[] source = [.. Enumerable.Range(0, width * height).SelectMany(_ => colour)];

        var resized = ImageResizing.Resize(source, width, height, newWidth, newHeight, 3);

        Assert.Equal(Enumerable.Range(0, newWidth * newHeight).SelectMany(_ => colour), resized);
    }

    [Fact]
    public void ShrinkingCountsEveryPixel()
    {
        // fine stripes: taking every second pixel would make them black or white
        byte[] stripes = [.. Enumerable.Range(0, 16 * 4).Select(i => i % 2 == 0 ? (byte)255 : (byte)0)];

        var resized = ImageResizing.Resize(stripes, 16, 4, 4, 4, 1);

        Assert.All(resized.Where((_, i) => i % 4 is 1 or 2), value => Assert.InRange(value, 120, 135));
    }

    [Fact]
    public void GrowingGoesInStraightLinesBetweenPixels() =>
        // centres of the new pixels lie at −0.25, 0.25, 0.75 and 1.25 of the old ones, whose edge goes on
        Assert.Equal([0, 25, 75, 100], ImageResizing.Resize([0, 100], 2, 1, 4, 1, 1));

    [Fact]
    public void BothDirectionsAndAllChannelsAreKeptApart()
    {
        // one channel falls from left to right, the other from top to bottom
        byte[] source = [200, 100, 0, 100, 200, 0, 0, 0];

        var resized = ImageResizing.Resize(source, 2, 2, 2, 1, 2);

        Assert.Equal([200, 50, 0, 50], resized);
    }
}
