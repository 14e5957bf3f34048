using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Rows;
using SkiaSharp;

namespace Microsoft.ML.Moe.Tests.ImageClassification;

/// <summary>Image files that are damaged, cut short, or made to cost time or memory.</summary>
public sealed class HostileFileTests
{
    public static TheoryData<string> Kinds => ["png", "jpeg", "webp", "bmp", "gif", "progressive"];

    [Fact]
    public void OtherFilesAreRefused()
    {
        AssertRefused("missing", []);
        AssertRefused("no PNG, JPEG, WebP, GIF or BMP", "<svg/>"u8.ToArray());
        AssertRefused("no PNG, JPEG, WebP, GIF or BMP", [0, 0, 1, 0, 1, 0]);
        AssertRefused("the compression of its Bmp file is not supported", ImageFiles.GreyBmp(4, 4, compression: 4, new byte[16]));
    }

    [Theory]
    [InlineData(1 << 15, 1)]
    [InlineData(1, 1 << 15)]
    [InlineData(1 << 14, 1 << 14)]
    public void AnImageTooLargeIsRefusedBeforeItIsDecoded(int width, int height)
    {
        AssertRefused("possible are up to 16384 on a side", ImageFiles.Png(width, height, 8, 2, []));
        AssertRefused("possible are up to 16384 on a side", ImageFiles.Gif(width, height, frames: 1));
        AssertRefused("possible are up to 16384 on a side", ImageFiles.Jpeg(width, height, 1, emptyScans: 1));
    }

    [Theory]
    [InlineData(100, 100, 100, "at most 99")]
    [InlineData(8192, 8192, 17, "at most 16")]
    [InlineData(4096, 4096, 65, "at most 64")]
    public void AProgressiveFileOfTooManyScansIsRefused(int width, int height, int scans, string limit) =>
        AssertRefused(limit, ImageFiles.Jpeg(width, height, 1, scans));

    [Fact]
    public void ScansAreFoundWhateverStandsBetweenThem()
    {
        var file = ImageFiles.Jpeg(64, 64, 1, emptyScans: 101);
        var header = file.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xFF, 0xDA]);
        AssertRefused("101 scans", [.. file[..header], 0xFF, 0xFE, 0, 4, 0xFF, 0xD9, .. file[header..]]); // an end within a comment
        AssertRefused("101 scans", [.. file[..header], 0xFF, 0xFF, 0xFF, .. file[header..]]); // fill bytes
        AssertRefused("101 scans", [.. file[..(header + 10)], 0x12, 0xFF, 0x00, 0xFF, 0xD3, .. file[(header + 10)..]]); // data, restarts
        Assert.Equal(12, Decode([.. file[..header], 0xFF, 0xFE, 0, 4, 0xFF, 0xDA, .. file[header..(header + 11)], 0xFF, 0xD9, .. file[header..]]).Length);
    }

    /// <summary>The last allowed ones: a few seconds in all on a slow machine, where an unbounded file takes minutes.</summary>
    [Fact]
    public void AsManyScansAsAreAllowedAreDecoded() =>
        Assert.All(Decode(ImageFiles.Jpeg(2048, 2048, 1, emptyScans: JpegScans.MaximumScans)), value => Assert.Equal(128, value));

    [Fact]
    public void PixelsBeyondTheImagesSizeAreLeftUnread() =>
        Assert.All(Decode(ImageFiles.Png(1, 1, 8, 2, new byte[1 << 24])), value => Assert.Equal(0, value));

    [Fact]
    public void TextsThatUnpackToMuchAreRefused()
    {
        var text = ImageFiles.PngChunk("zTXt"u8, [(byte)'a', 0, 0, .. ImageFiles.Packed(new byte[1 << 20])]);
        AssertRefused("more than 64 texts", ImageFiles.Png(2, 2, 8, 2, new byte[14], chunks: [.. Enumerable.Repeat(text, 65)]));
        Assert.Equal(12, Decode(ImageFiles.Png(2, 2, 8, 2, new byte[14], chunks: [.. Enumerable.Repeat(text, 64)])).Length);
    }

    [Fact]
    public void AProfileOfAnySizeIsNoMatter()
    {
        var profile = ImageFiles.PngChunk("iCCP"u8, [(byte)'a', 0, 0, .. ImageFiles.Packed(new byte[1 << 26])]);
        Assert.Equal(12, Decode(ImageFiles.Png(2, 2, 8, 2, new byte[14], chunks: profile)).Length);
    }

    [Fact]
    public void ManyFramesCostNothing()
    {
        Assert.Equal(255, Decode(ImageFiles.Gif(1, 1, frames: 1_000_000))[0]);
        Assert.Equal(255, Decode(ImageFiles.AnimatedWebp(1, 1, frames: 100_000))[0]);
    }

    /// <summary>Never a picture that is grey below without a word.</summary>
    [Theory]
    [MemberData(nameof(Kinds))]
    public void AFileThatEndsEarlyIsRefusedOrWholeAlready(string kind)
    {
        var file = FileOf(kind);
        var whole = Decode(file);
        var refused = 0;
        for (var length = 0; length < file.Length; length++)
        {
            try
            {
                Assert.Equal(whole, Decode(file[..length]));
            }
            catch (InvalidDataException)
            {
                refused++;
            }
        }

        Assert.InRange(refused, file.Length / 2, file.Length);
    }

    [Theory]
    [InlineData(SKEncodedImageFormat.Png)]
    [InlineData(SKEncodedImageFormat.Jpeg)]
    [InlineData(SKEncodedImageFormat.Webp)]
    public void TheMessageSaysThatAFileEndsEarly(SKEncodedImageFormat format)
    {
        var file = ImageFiles.Encode(format, 120, 90);
        AssertRefused("ends early", file[..(file.Length * 9 / 10)]);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void DamageIsFoundOrDoesNoHarm(string kind)
    {
        var file = FileOf(kind);
        var random = new Random(1);
        for (var i = 0; i < 500; i++)
        {
            var damaged = (byte[])file.Clone();
            for (var flips = random.Next(1, 4); flips > 0; flips--)
                damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
            var error = Record.Exception(() => Decode(damaged));
            Assert.True(error is null or InvalidDataException, $"{error}");
        }
    }

    [Theory]
    [InlineData(120, 90)]
    [InlineData(33, 71)]
    [InlineData(400, 16)]
    public void AJpegFileThatIsCutShortIsFoundEvenWhereItsEndIsPutBack(int width, int height)
    {
        var file = ImageFiles.Encode(SKEncodedImageFormat.Jpeg, width, height);
        var whole = Decode(file);
        for (var tenths = 5; tenths < 10; tenths++)
            AssertRefused("ends early", [.. file[..(file.Length * tenths / 10)], 0xFF, 0xD9]);
        Assert.Equal(whole, Decode([.. file, .. "what cameras write behind it"u8]));
        Assert.Equal(whole, Decode([.. file[..^2], 0xFF, 0xFF, 0xD9]));
    }

    [Fact]
    public void WholeJpegFilesOfAnySizeAreRead()
    {
        for (var width = 1; width <= 40; width++)
        {
            Assert.Equal(12, Decode(ImageFiles.Encode(SKEncodedImageFormat.Jpeg, width, 41 - width)).Length);
            Assert.Equal(12, Decode(ImageFiles.Jpeg(width, 41 - width, components: 1)).Length);
            Assert.Equal(12, Decode(ImageFiles.Jpeg(width, 41 - width, components: 3)).Length);
        }
    }

    [Fact]
    public void AMissingNativeLibraryIsNamedWithThePackageToAdd()
    {
        var cause = new TypeInitializationException("SKObject", new DllNotFoundException("libSkiaSharp"));
        var error = Assert.Throws<InvalidOperationException>(() => NativeSkia.Run<int>(() => throw cause));
        Assert.Contains("SkiaSharp.NativeAssets.Linux.NoDependencies", error.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidDataException>(() => NativeSkia.Run<int>(() => throw new InvalidDataException()));
    }

    private static byte[] FileOf(string kind) => kind switch
    {
        "png" => ImageFiles.Encode(SKEncodedImageFormat.Png, 12, 12),
        "jpeg" => ImageFiles.Encode(SKEncodedImageFormat.Jpeg, 12, 12),
        "webp" => ImageFiles.Encode(SKEncodedImageFormat.Webp, 12, 12),
        "bmp" => ImageTables.Bitmap(12, 12, (x, y) => (byte)(x * 9 + y)),
        "gif" => ImageFiles.Gif(4, 4, frames: 1),
        _ => ImageFiles.Jpeg(64, 64, 1, emptyScans: 3),
    };

    private static float[] Decode(byte[] file)
    {
        var image = new ImageDecoding(new ImageInput(2, 2, 3)).Decode(file);
        var values = new float[image.Length];
        image.CopyTo(values);
        return values;
    }

    private static void AssertRefused(string reason, byte[] file) =>
        Assert.Contains(reason, Assert.Throws<InvalidDataException>(() => Decode(file)).Message, StringComparison.Ordinal);
}
