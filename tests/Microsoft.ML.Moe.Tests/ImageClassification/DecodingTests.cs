using System.Buffers.Binary;
using System.IO.Compression;
using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Rows;

namespace Microsoft.ML.Moe.Tests.ImageClassification;

/// <summary>Image files, good, bad and forged.</summary>
public sealed class DecodingTests
{
    /// <summary>Four by two pixels: red, green, blue, white; black and three shades.</summary>
    private const string Png =
        "iVBORw0KGgoAAAANSUhEUgAAAAQAAAACCAIAAADwyuo0AAAAHklEQVR4nGP4z8DA8J+BgeH/////GRkYGLhE5CAAAG/9BuxgL9jFAAAAAElFTkSuQmCC";

    private const string Bmp =
        "Qk1OAAAAAAAAADYAAAAoAAAABAAAAAIAAAABABgAAAAAABgAAADEDgAAxA4AAAAAAAAAAAAAAAAAHhQKPDIoWlBGAAD/AP8A/wAA////";

    /// <summary>Eight by eight pixels of about (200, 40, 40).</summary>
    private const string Jpeg =
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAIBAQEBAQIBAQECAgICAgQDAgICAgUEBAMEBgUGBgYFBgYGBwkIBgcJBwYGCAsICQoKCgoKBggLDAsKDAkKCgr/2wBDAQICAgICAgUDAwUKBwYHCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgr/wAARCAAIAAgDASIAAhEBAxEB/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/8QAHwEAAwEBAQEBAQEBAQAAAAAAAAECAwQFBgcICQoL/8QAtREAAgECBAQDBAcFBAQAAQJ3AAECAxEEBSExBhJBUQdhcRMiMoEIFEKRobHBCSMzUvAVYnLRChYkNOEl8RcYGRomJygpKjU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6goOEhYaHiImKkpOUlZaXmJmaoqOkpaanqKmqsrO0tba3uLm6wsPExcbHyMnK0tPU1dbX2Nna4uPk5ebn6Onq8vP09fb3+Pn6/9oADAMBAAIRAxEAPwD5fooor8TP9QD/2Q==";

    private const string Gif = "R0lGODdhCAAIAIEAAMgoKAAAAAAAAAAAACwAAAAACAAIAAAIDwABCBxIsKDBgwgTKkwYEAA7";

    [Theory]
    [InlineData(Png)]
    [InlineData(Bmp)]
    public void PixelsComeRowByRowInRedGreenBlue(string file) => Assert.Equal(
        [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 10, 20, 30, 40, 50, 60, 70, 80, 90],
        Decode(Convert.FromBase64String(file), 4, 2, 3));

    [Fact]
    public void AJpegIsDecodedAndResized() =>
        Assert.All(Decode(Convert.FromBase64String(Jpeg), 3, 3, 3).Chunk(3), pixel =>
        {
            Assert.Equal(200f, pixel[0], 4f);
            Assert.Equal(40f, pixel[1], 4f);
            Assert.Equal(40f, pixel[2], 4f);
        });

    [Fact]
    public void ColoursBecomeGreyWhereTheModelReadsGrey() =>
        Assert.All(Decode(Convert.FromBase64String(Jpeg), 2, 2, 1), pixel => Assert.InRange(pixel, 60, 120));

    [Fact]
    public void OtherFilesAreRefused()
    {
        AssertRefused("missing", []);
        AssertRefused("no PNG, JPEG or BMP", Convert.FromBase64String(Gif));
        AssertRefused("no PNG, JPEG or BMP", "<svg/>"u8.ToArray());
    }

    [Theory]
    [InlineData(1 << 15, 1)]
    [InlineData(1, 1 << 15)]
    [InlineData(1 << 14, 1 << 14)]
    [InlineData(int.MaxValue, int.MaxValue)]
    public void AnImageTooLargeIsRefusedBeforeItIsDecoded(int width, int height)
    {
        var file = ImageTables.Bitmap(1, 1, (_, _) => 0);
        BitConverter.GetBytes(width).CopyTo(file, 18);
        BitConverter.GetBytes(height).CopyTo(file, 22);
        AssertRefused("", file);
    }

    [Fact]
    public void APartLongerThanTheFileIsRefused()
    {
        var file = Convert.FromBase64String(Png);
        file[33] = 0x80; // first byte of the length of the pixels
        AssertRefused("longer than the file", file);
        file[33] = 0;
        file[35] = 0xFF;
        AssertRefused("longer than the file", file);
        AssertRefused("ends early", Convert.FromBase64String(Png)[..^6]);
    }

    [Fact]
    public void PixelsThatUnpackToMuchMoreThanTheImageAreRefused()
    {
        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Optimal, leaveOpen: true))
            zlib.Write(new byte[1 << 20]);
        var original = Convert.FromBase64String(Png);
        var length = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(length, (int)packed.Length);
        byte[] file = [.. original[..33], .. length, .. "IDAT"u8, .. packed.ToArray(), 0, 0, 0, 0, .. original[^12..]];
        AssertRefused("more than its size tells", file);
    }

    [Theory]
    [InlineData(Png)]
    [InlineData(Jpeg)]
    [InlineData(Bmp)]
    public void DamageIsFoundOrDoesNoHarm(string base64)
    {
        var file = Convert.FromBase64String(base64);
        for (var length = 0; length < file.Length; length++)
            AssertRefusedOrDecoded(file[..length]);
        var random = new Random(1);
        for (var i = 0; i < 1000; i++)
        {
            var damaged = (byte[])file.Clone();
            damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
            AssertRefusedOrDecoded(damaged);
        }
    }

    private static float[] Decode(byte[] file, int width, int height, int channels)
    {
        var image = new ImageDecoding(new ImageInput(width, height, channels)).Decode(file);
        var values = new float[image.Length];
        image.CopyTo(values);
        return values;
    }

    private static void AssertRefused(string reason, byte[] file) =>
        Assert.Contains(reason, Assert.Throws<InvalidDataException>(() => Decode(file, 2, 2, 3)).Message, StringComparison.Ordinal);

    private static void AssertRefusedOrDecoded(byte[] file)
    {
        var error = Record.Exception(() => Decode(file, 2, 2, 3));
        Assert.True(error is null or InvalidDataException, $"{error}");
    }
}
