using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Tests.Inputs;

public class PatchGridTests
{
    [Theory]
    [InlineData(4, 4, 1, 2, 0)]
    [InlineData(4, 4, 3, 2, 1)]
    [InlineData(5, 3, 2, 2, 1)] // the last column is cut off
    [InlineData(3, 7, 1, 4, 4)]
    [InlineData(1, 1, 1, 3, 1)]
    public void APatchSeesItsPixelsAndAMargin(int width, int height, int channels, int size, int margin)
    {
        var grid = new PatchGrid(new ImageInput(width, height, channels), size, margin);
        float[] pixels = [.. Enumerable.Range(1, width * height * channels).Select(i => (float)i)];
        var patches = new float[grid.Patches * grid.Values];
        Array.Fill(patches, float.NaN);

        grid.Cut(pixels, patches);

        Assert.Equal(((width + size - 1) / size) * ((height + size - 1) / size), grid.Patches);
        var i = 0;
        for (var top = 0; top < height; top += size)
            for (var left = 0; left < width; left += size)
                for (var y = top - margin; y < top + size + margin; y++)
                    for (var x = left - margin; x < left + size + margin; x++)
                        for (var c = 0; c < channels; c++)
                            Assert.Equal(
                                x >= 0 && x < width && y >= 0 && y < height ? pixels[(y * width + x) * channels + c] : 0, patches[i++]);
        Assert.Equal(patches.Length, i);
    }

    [Theory]
    [InlineData(8, 8, 2)]
    [InlineData(28, 28, 4)]
    [InlineData(64, 64, 8)]
    [InlineData(1000, 1, 16)]
    [InlineData(1, 1, 2)]
    public void TheSizeIsTheSmallestWithFewPatches(int width, int height, int expected) =>
        Assert.Equal(expected, PatchGrid.SizeFor(new ImageInput(width, height, 1)));

    [Fact]
    public void PatchesAreNamedByTheirPlace() =>
        Assert.Equal(
            ["row 1, column 1", "row 1, column 2", "row 2, column 1", "row 2, column 2"],
            Enumerable.Range(0, 4).Select(new PatchGrid(new ImageInput(4, 4, 1), 2, 0).TextOf));
}
