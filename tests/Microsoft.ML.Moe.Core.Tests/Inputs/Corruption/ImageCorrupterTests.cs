using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Tests.Inputs.Corruption;

public sealed class ImageCorrupterTests
{
    private const int Side = 24;

    public static TheoryData<ImageCorruptionKind> Kinds { get; } = new(ImageCorruption.Kinds);

    [Theory]
    [MemberData(nameof(Kinds))]
    public void AnImageIsSpoiledAlikeBySeedAndRowAndMoreBySeverity(ImageCorruptionKind kind)
    {
        foreach (var channels in new[] { 1, 3 })
        {
            var image = Image(Side, Side, channels);
            var changes = Enumerable.Range(1, 5).Select(severity => Difference(image, Corrupt(kind, severity, image, channels))).ToArray();

            Assert.All(changes, change => Assert.True(change > 0, $"{kind} changes nothing: {string.Join(", ", changes)}"));
            // CIFAR-10-C bends images more and moves them less from one severity to the next
            Assert.True(kind == ImageCorruptionKind.ElasticTransform || changes[4] > changes[0], $"{kind}: {string.Join(", ", changes)}");
            Assert.Equal(Corrupt(kind, 3, image, channels), Corrupt(kind, 3, image, channels));
        }
    }

    [Theory]
    [InlineData(ImageCorruptionKind.GaussianNoise)]
    [InlineData(ImageCorruptionKind.ShotNoise)]
    [InlineData(ImageCorruptionKind.ImpulseNoise)]
    [InlineData(ImageCorruptionKind.GlassBlur)]
    [InlineData(ImageCorruptionKind.MotionBlur)]
    [InlineData(ImageCorruptionKind.Snow)]
    [InlineData(ImageCorruptionKind.Frost)]
    [InlineData(ImageCorruptionKind.Fog)]
    [InlineData(ImageCorruptionKind.ElasticTransform)]
    public void OtherRowsAndSeedsAreSpoiledOtherwise(ImageCorruptionKind kind)
    {
        var image = Image(Side, Side, 3);
        var first = Corrupt(kind, 5, image, 3);
        Assert.NotEqual(first, Corrupt(kind, 5, image, 3, row: 2));
        Assert.NotEqual(first, Corrupt(kind, 5, image, 3, seed: 8));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void ImagesOfAnyShapeAreSpoiled(ImageCorruptionKind kind)
    {
        foreach (var (width, height) in new[] { (1, 1), (1, 9), (13, 2), (130, 104) })
            Assert.Equal(width * height * 3, new ImageCorrupter(new(kind) { Severity = 5 }).Corrupt(Image(width, height, 3), width, height, 3, 0).Length);
    }

    [Fact]
    public void ContrastBringsValuesNearerToTheMean() => Assert.Equal(
        // mean 100, and 0.4 of the distance
        [60, 140, 92, 108],
        new ImageCorrupter(new(ImageCorruptionKind.Contrast) { Severity = 3 }).Corrupt([0, 200, 80, 120], 2, 2, 1, 0));

    [Fact]
    public void BrightnessRaisesTheLargestNumberAndKeepsTheOthersInProportion() => Assert.Equal(
        // 0.15 of 255 are 38.25; 100 becomes 138.25, and a half of it 69.125
        [138, 69, 0, 38, 38, 38],
        new ImageCorrupter(new(ImageCorruptionKind.Brightness) { Severity = 3 }).Corrupt([100, 50, 0, 0, 0, 0], 2, 1, 3, 0));

    [Fact]
    public void WhatIsOfOneColourStaysSoBehindBlurPixelsAndJpeg()
    {
        var plain = Enumerable.Repeat((byte)90, Side * Side * 3).ToArray();
        foreach (var kind in new[]
        {
            ImageCorruptionKind.DefocusBlur, ImageCorruptionKind.GlassBlur, ImageCorruptionKind.MotionBlur, ImageCorruptionKind.ZoomBlur,
            ImageCorruptionKind.Contrast, ImageCorruptionKind.ElasticTransform, ImageCorruptionKind.Pixelate, ImageCorruptionKind.JpegCompression,
        })
        {
            // JPEG rounds the mean of a block too
            Assert.All(Corrupt(kind, 5, plain, 3), value => Assert.InRange(value, kind == ImageCorruptionKind.JpegCompression ? 86 : 90, kind == ImageCorruptionKind.JpegCompression ? 94 : 90));
        }
    }

    [Fact]
    public void NoiseHasTheDeviationOfItsSeverity()
    {
        var grey = Enumerable.Repeat((byte)128, 64 * 64).ToArray();
        var noisy = new ImageCorrupter(new(ImageCorruptionKind.GaussianNoise) { Severity = 2 }).Corrupt(grey, 64, 64, 1, 3);
        Assert.Equal(0.06 * 255, Math.Sqrt(noisy.Average(v => (v - 128.0) * (v - 128))), 0.6);
        var shot = new ImageCorrupter(new(ImageCorruptionKind.ShotNoise) { Severity = 3 }).Corrupt(grey, 64, 64, 1, 3);
        // a count of mean 100 · 128/255, of 100 for white
        Assert.Equal(255 * Math.Sqrt(100 * 128 / 255.0) / 100, Math.Sqrt(shot.Average(v => (v - 128.0) * (v - 128))), 0.8);
        var impulse = new ImageCorrupter(new(ImageCorruptionKind.ImpulseNoise) { Severity = 5 }).Corrupt(grey, 64, 64, 1, 3);
        Assert.Equal(0.07, impulse.Count(v => v is 0 or 255) / 4096.0, 0.02);
    }

    [Fact]
    public void WhatIsNoImageIsNamed()
    {
        Assert.Contains("5000 × 1", Assert.Throws<ArgumentException>(() => Fog(new byte[5000], 5000, 1)).Message, StringComparison.Ordinal);
        Assert.Contains("7 numbers", Assert.Throws<ArgumentException>(() => Fog(new byte[7], 2, 4)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => new ImageCorruption(ImageCorruptionKind.Fog) { Severity = 6 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new ImageCorruption((ImageCorruptionKind)99));

        static byte[] Fog(byte[] pixels, int width, int height) => new ImageCorrupter(new(ImageCorruptionKind.Fog)).Corrupt(pixels, width, height, 1, 0);
    }

    private static byte[] Corrupt(ImageCorruptionKind kind, int severity, byte[] image, int channels, long row = 1, int seed = 7) =>
        new ImageCorrupter(new(kind) { Severity = severity, Seed = seed }).Corrupt(image, Side, image.Length / Side / channels, channels, row);

    /// <summary>Squares on a slope.</summary>
    private static byte[] Image(int width, int height, int channels) => [.. Enumerable.Range(0, width * height * channels).Select(i =>
    {
        var (x, y, c) = (i / channels % width, i / channels / width, i % channels);
        return (byte)(x / 3 % 2 == y / 4 % 2 ? 40 + 3 * x + 20 * c : 180 - 2 * y - 15 * c);
    })];

    private static double Difference(byte[] first, byte[] second) => first.Zip(second, (a, b) => (double)(a - b) * (a - b)).Average();
}
