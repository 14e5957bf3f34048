using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Tests.Tensors;

namespace Microsoft.ML.Moe.Tests.Inputs.Images;

/// <summary>How images come to the patches of published encoders.</summary>
public sealed class PublishedPatchesTests
{
    [Fact]
    public void PatchesChannelByChannelHaveTheSameValuesInAnotherOrder()
    {
        var byPixel = new PatchGrid(new ImageInput(4, 6, 3), 2, 0);
        var pixels = Enumerable.Range(0, 4 * 6 * 3).Select(i => (float)i).ToArray();
        var (first, second) = (new float[pixels.Length], new float[pixels.Length]);

        byPixel.Cut(pixels, first);
        (byPixel with { ChannelsFirst = true }).Cut(pixels, second);

        for (var patch = 0; patch < 6; patch++)
            for (var place = 0; place < 4; place++)
                for (var channel = 0; channel < 3; channel++)
                    Assert.Equal(first[patch * 12 + place * 3 + channel], second[patch * 12 + channel * 4 + place]);
    }

    [Theory]
    [InlineData(4, 3, 4, 3)]
    [InlineData(4, 3, 7, 5)]
    [InlineData(5, 5, 2, 3)]
    public void PositionsBetweenOthersWeighThemToOne(int columns, int rows, int newColumns, int newRows)
    {
        var trained = 2 + columns * rows;
        var matrix = PositionsBetween.Matrix(2, columns, rows, newColumns, newRows);

        Assert.All(matrix.Chunk(trained), row => Assert.Equal(1, row.Sum(), 1e-5f));
        Assert.Equal(1, matrix[0]);
        Assert.Equal(1, matrix[trained + 1]);
        if ((columns, rows) == (newColumns, newRows))
            Assert.All(matrix.Index(), entry => Assert.Equal(entry.Index / trained == entry.Index % trained ? 1 : 0, entry.Item, 1e-6f));
    }

    [Theory]
    [InlineData(5, 4)]
    [InlineData(2, 9)]
    [InlineData(9, 3)]
    public void TheMiddleOfASmallerImageHasNothingAround(int width, int height)
    {
        var cut = new ImagePreprocessing { ResizeWidth = width, ResizeHeight = height, CropWidth = 4, CropHeight = 6, Means = [0f], Deviations = [1f] };
        var pixels = Enumerable.Range(1, width * height).Select(i => (byte)i).ToArray();

        var middle = cut.Apply(pixels, width, height, 1);

        for (var y = 0; y < 6; y++)
            for (var x = 0; x < 4; x++)
            {
                var (fromX, fromY) = (x + (int)Math.Floor((width - 4) / 2.0), y + (int)Math.Floor((height - 6) / 2.0));
                var isInside = fromX >= 0 && fromX < width && fromY >= 0 && fromY < height;
                Assert.Equal(isInside ? pixels[fromY * width + fromX] : 0, middle[y * 4 + x]);
            }
    }

    [Theory]
    [InlineData("""{"resample": 0, "size": 8}""", "resample 0 is not supported")]
    [InlineData("""{"size": {"shortest_edge": 8}}""", "they have none")]
    [InlineData("""{"size": {"height": 8}}""", "neither width and height nor shortest_edge")]
    [InlineData("""{"size": 8, "image_mean": [0.5]}""", "Means are not those of 3 channels")]
    [InlineData("""{"size": 100000000}""", "ResizeWidth")]
    [InlineData("""{"image_processor_type": "ConvNextImageProcessor", "size": 8, "crop_pct": 0}""", "ShortestEdge")]
    [InlineData("""{"size": 8, "image_std": [1, 0, 1]}""", "Deviations are not those of 3 channels")]
    public void AFileThatCannotBeFollowedIsNamed(string json, string reason)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(Path.Combine(folder.Path, ImagePreprocessing.FileName), json);
        var error = Assert.Throws<InvalidDataException>(() => ImagePreprocessing.Read(folder.Path, channels: 3));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.Contains(ImagePreprocessing.FileName, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheShorterSideIsResizedAndTheMiddleCutOut()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(
            Path.Combine(folder.Path, ImagePreprocessing.FileName),
            """{"size": {"shortest_edge": 6}, "do_center_crop": true, "crop_size": {"height": 4, "width": 4}, "do_normalize": false}""");
        var read = ImagePreprocessing.Read(folder.Path, channels: 1);
        Assert.Equal(16, read.Apply(new byte[12 * 30], 12, 30, 1).Length);
        Assert.Equal((6, 9), (read.For(6, 6).CropWidth, read.For(6, 6).ShortestEdge));
    }

    [Theory]
    [InlineData("""{"feature_extractor_type": "ConvNextFeatureExtractor", "size": 224, "crop_pct": 0.875}""", 256, 224)]
    [InlineData("""{"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 64}}""", 73, 64)]
    [InlineData("""{"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 384}}""", null, 384)]
    public void TheProcessorOfResNetsCutsAShareOutOfImagesThatAreNotLarge(string json, int? shortestEdge, int side)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(Path.Combine(folder.Path, ImagePreprocessing.FileName), json);
        var read = ImagePreprocessing.Read(folder.Path, channels: 3);
        Assert.Equal((shortestEdge, side, side), (read.ShortestEdge, read.Width, read.Height));
        Assert.Equal(shortestEdge is null, read.CropWidth is null);
    }

    [Fact]
    public void APatchShowsAnObjectFromAShareOfItsPixels()
    {
        // 3 × 2 patches of 2 × 2, the last column of one pixel's width
        var grid = new PatchGrid(new ImageInput(5, 4, 1), 2, 0);
        var mask = new bool[20];
        foreach (var pixel in new[] { 0, 1, 5, 2, 4, 19 })
            mask[pixel] = true;
        Assert.Equal([true, false, true, false, false, true], grid.Showing(mask, 0.5));
        Assert.Equal([true, true, true, false, false, true], grid.Showing(mask, 0.25));
        Assert.Equal([false, false, false, false, false, false], grid.Showing(mask, 1));
    }

    [Fact]
    public void WhatIsGatheredFromPatchesIsTheAdjointOfCutting()
    {
        foreach (var (margin, channelsFirst) in new[] { (0, false), (1, false), (0, true) })
        {
            var grid = new PatchGrid(new ImageInput(5, 4, 2), 2, margin) { ChannelsFirst = channelsFirst };
            var (pixels, patches) = (TestNumbers.Normal(1, 40), TestNumbers.Normal(2, grid.Patches * grid.Values));
            var (cut, gathered) = (new float[patches.Length], new float[40]);
            grid.Cut(pixels, cut);
            grid.Gather(patches, gathered);
            Assert.Equal(cut.Zip(patches, (a, b) => (double)a * b).Sum(), pixels.Zip(gathered, (a, b) => (double)a * b).Sum(), 1e-4);
        }
    }
}
