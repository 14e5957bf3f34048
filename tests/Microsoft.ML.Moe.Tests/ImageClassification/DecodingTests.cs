using Microsoft.ML.Data;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Rows;
using SkiaSharp;

namespace Microsoft.ML.Moe.Tests.ImageClassification;

/// <summary>Good image files: what a model reads from them.</summary>
public sealed class DecodingTests
{
    /// <summary>Four by two pixels: red, green, blue, white; black and three shades.</summary>
    private const string Png =
        "iVBORw0KGgoAAAANSUhEUgAAAAQAAAACCAIAAADwyuo0AAAAHklEQVR4nGP4z8DA8J+BgeH/////GRkYGLhE5CAAAG/9BuxgL9jFAAAAAElFTkSuQmCC";

    private const string Bmp =
        "Qk1OAAAAAAAAADYAAAAoAAAABAAAAAIAAAABABgAAAAAABgAAADEDgAAxA4AAAAAAAAAAAAAAAAAHhQKPDIoWlBGAAD/AP8A/wAA////";

    public static TheoryData<SKEncodedImageFormat> Formats =>
        [SKEncodedImageFormat.Png, SKEncodedImageFormat.Jpeg, SKEncodedImageFormat.Webp, SKEncodedImageFormat.Bmp];

    [Theory]
    [InlineData(Png)]
    [InlineData(Bmp)]
    public void PixelsComeRowByRowInRedGreenBlue(string file) => Assert.Equal(
        [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 10, 20, 30, 40, 50, 60, 70, 80, 90],
        Decode(Convert.FromBase64String(file), 4, 2, 3));

    /// <summary>With our own resizing after ML.NET's decoding.</summary>
    [Theory]
    [MemberData(nameof(Formats))]
    public void PixelsAreThoseOfMlNet(SKEncodedImageFormat format)
    {
        var file = FileOf(format, 23, 17);
        using var image = MLImage.CreateFromStream(new MemoryStream(file));
        var colours = new byte[3 * 23 * 17];
        for (var i = 0; i < 23 * 17; i++)
            for (var c = 0; c < 3; c++)
                colours[3 * i + c] = image.Pixels[4 * i + (image.PixelFormat == MLPixelFormat.Bgra32 ? 2 - c : c)];
        Assert.Equal((23, 17), (image.Width, image.Height));
        Assert.Equal(colours.Select(c => (float)c), Decode(file, 23, 17, 3));
        Assert.Equal(Values(new ImageInput(8, 9, 3).Encode(colours, 23, 17)), Decode(file, 8, 9, 3));
    }

    [Theory]
    [InlineData(SKEncodedImageFormat.Png)]
    [InlineData(SKEncodedImageFormat.Jpeg)]
    public void GreyFilesAreReadInColoursAndInGrey(SKEncodedImageFormat format)
    {
        using var bitmap = new SKBitmap(9, 9, SKColorType.Gray8, SKAlphaType.Opaque);
        bitmap.Erase(new SKColor(90, 90, 90));
        var file = ImageFiles.Encode(bitmap, format);
        Assert.All(Decode(file, 5, 5, 1), value => Assert.Equal(90, value));
        Assert.All(Decode(file, 5, 5, 3), value => Assert.Equal(90, value));
    }

    [Fact]
    public void ColoursBecomeGreyWhereTheModelReadsGrey() => Assert.Equal(
        [76, 149, 28, 255, 0, 18, 48, 78], Decode(Convert.FromBase64String(Png), 4, 2, 1));

    [Fact]
    public void NumbersOfSixteenBitsKeepTheirUpperEight() => Assert.Equal(
        [200, 100, 50], Decode(ImageFiles.Png(1, 1, 16, 2, [0, 200, 0, 100, 0, 50, 0]), 1, 1, 3));

    /// <summary>Two pixels: of the first half shows, of the second nothing.</summary>
    [Fact]
    public void TransparencyLiesOnWhite()
    {
        byte[] rows = [0, 200, 100, 0, 128, 10, 20, 30, 0];
        var pixels = Decode(ImageFiles.Png(2, 1, 8, 6, rows), 2, 1, 3);
        Assert.Equal([227, 177, 127, 255, 255, 255], pixels, (a, b) => Math.Abs(a - b) <= 1);
        Assert.Equal([255, 255, 255], pixels[3..]);
        Assert.Equal([255], Decode(ImageFiles.Png(1, 1, 8, 4, [0, 9, 0]), 1, 1, 1));
    }

    [Fact]
    public void InksBecomeColours()
    {
        var file = ImageFiles.Jpeg(8, 8, components: 4);
        using var image = MLImage.CreateFromStream(new MemoryStream(file));
        Assert.Equal([image.Pixels[2], image.Pixels[1], image.Pixels[0]], Decode(file, 1, 1, 3));
    }

    [Fact]
    public void RunLengthsAreRead()
    {
        byte[] runs = [3, 200, 0, 0, 0, 3, 10, 20, 30, 0, 0, 1];
        Assert.Equal([10, 20, 30, 200, 200, 200], Decode(ImageFiles.GreyBmp(3, 2, compression: 1, runs), 3, 2, 1));
    }

    [Fact]
    public void OfSeveralFramesTheFirstIsRead()
    {
        Assert.Equal([255, 0, 0], Decode(ImageFiles.Gif(1, 1, frames: 3), 1, 1, 3));
        Assert.Equal([255, 0, 0], Decode(ImageFiles.AnimatedWebp(2, 2, frames: 3), 1, 1, 3));
    }

    [Fact]
    public void WhereAFrameDoesNotReachThereIsWhite() =>
        Assert.Equal([255, 0, 0, 255, 255, 255], Decode(ImageFiles.Gif(2, 1, frames: 1), 2, 1, 3));

    /// <summary>
    /// A photograph that is red above left, green above right, blue below left and black below right when it stands upright, stored in each
    /// of the eight ways.
    /// </summary>
    [Theory]
    [InlineData(1, "RG/BK")]
    [InlineData(2, "GR/KB")]
    [InlineData(3, "KB/GR")]
    [InlineData(4, "BK/RG")]
    [InlineData(5, "RB/GK")]
    [InlineData(6, "GK/RB")]
    [InlineData(7, "KG/BR")]
    [InlineData(8, "BR/KG")]
    public void PhotographsAreTurnedUpright(byte orientation, string stored)
    {
        const int side = 24;
        var lies = orientation >= 5;
        var (width, height) = lies ? (side, 2 * side) : (2 * side, side);
        var rows = stored.Split('/');
        using var bitmap = new SKBitmap(width, height, SKColorType.Bgra8888, SKAlphaType.Opaque);
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++)
                bitmap.SetPixel(x, y, rows[2 * y / height][2 * x / width] switch
                {
                    'R' => SKColors.Red,
                    'G' => SKColors.Lime,
                    'B' => SKColors.Blue,
                    _ => SKColors.Black,
                });
        var file = ImageFiles.Oriented(ImageFiles.Encode(bitmap, SKEncodedImageFormat.Jpeg), orientation);

        var upright = Decode(file, 2 * side, side, 3);

        Assert.Equal([1, 0, 0], Corner(3, 3));
        Assert.Equal([0, 1, 0], Corner(2 * side - 4, 3));
        Assert.Equal([0, 0, 1], Corner(3, side - 4));
        Assert.Equal([0, 0, 0], Corner(2 * side - 4, side - 4));

        int[] Corner(int x, int y) => [.. upright.AsSpan((y * 2 * side + x) * 3, 3).ToArray().Select(value => (int)MathF.Round(value / 255))];
    }

    private static byte[] FileOf(SKEncodedImageFormat format, int width, int height) => format switch
    {
        SKEncodedImageFormat.Bmp => ImageTables.Bitmap(width, height, (x, y) => (byte)(x * 9 + y)),
        _ => ImageFiles.Encode(format, width, height),
    };

    private static float[] Decode(byte[] file, int width, int height, int channels) =>
        Values(new ImageDecoding(new ImageInput(width, height, channels)).Decode(file));

    private static float[] Values(ImagePixels image)
    {
        var values = new float[image.Length];
        image.CopyTo(values);
        return values;
    }
}
