using System.Buffers;
using System.Runtime.InteropServices;
using Microsoft.ML.Moe.Inputs;
using SkiaSharp;

namespace Microsoft.ML.Moe.Rows;

/// <summary>
/// Decodes image files, which may come from anywhere: what kind of file it is, how large the image is and how much work its decoding
/// takes at most are known before anything is decoded.
/// </summary>
/// <param name="input">What images are turned into; of 1 or 3 channels.</param>
internal sealed class ImageDecoding(ImageInput input)
{
    /// <summary>Longest file, in bytes.</summary>
    public const int MaximumBytes = 1 << 26;

    /// <summary>Largest width and height in pixels.</summary>
    public const int MaximumSide = 1 << 14;

    /// <summary>Most pixels.</summary>
    public const int MaximumPixels = 1 << 26;

    /// <summary>Of all threads together.</summary>
    private static readonly PixelBudget DecodedAtOnce = new(2L * MaximumPixels);

    /// <summary>Checks that a file is there and not too long, before it is copied.</summary>
    /// <exception cref="InvalidDataException">It is missing or too long; the message says which.</exception>
    public static void CheckLength(int bytes)
    {
        if (bytes == 0)
            throw new InvalidDataException("it is missing");
        if (bytes > MaximumBytes)
            throw new InvalidDataException($"its file has {bytes} bytes; at most {MaximumBytes} are possible");
    }

    /// <summary>Checks that an image is not too large.</summary>
    /// <param name="width">Pixels in a row.</param>
    /// <param name="height">Rows of pixels.</param>
    /// <exception cref="InvalidDataException">It is, or it is empty.</exception>
    public static void CheckSize(int width, int height)
    {
        if (width < 1 || height < 1 || width > MaximumSide || height > MaximumSide || (long)width * height > MaximumPixels)
            throw new InvalidDataException(
                $"it has {width} × {height} pixels; possible are up to {MaximumSide} on a side and {MaximumPixels} in all");
    }

    /// <summary>Decodes an image, turns it upright and resizes it.</summary>
    /// <param name="file">A PNG, JPEG, WebP, GIF or BMP file; of several frames the first is read.</param>
    /// <exception cref="InvalidDataException">It is none, is damaged, cut short or too large; the message says which.</exception>
    /// <exception cref="InvalidOperationException">The native part of SkiaSharp is missing.</exception>
    public ImagePixels Decode(byte[] file) => Decode(file, (in BgraImage image) => image.Encode(input));

    /// <summary>Decodes an image and turns it upright.</summary>
    /// <param name="file">See <see cref="Decode(byte[])"/>.</param>
    /// <returns>Red, green and blue of each pixel, row by row from the top, and the image's size.</returns>
    /// <exception cref="InvalidDataException">It is no image file, is damaged, cut short or too large; the message says which.</exception>
    /// <exception cref="InvalidOperationException">The native part of SkiaSharp is missing.</exception>
    public static (byte[] Pixels, int Width, int Height) DecodeColours(byte[] file) =>
        Decode(file, (in BgraImage image) => image.ToColours());

    private static T Decode<T>(byte[] file, BgraReader<T> read)
    {
        CheckLength(file.Length);
        var format = FormatOf(file) ?? throw new InvalidDataException("it is no PNG, JPEG, WebP, GIF or BMP file");
        if (format == ImageFormat.Png)
            PngTexts.Check(file);
        return NativeSkia.Run(() =>
        {
            var (width, height) = SizeOf(file, format);
            if (format == ImageFormat.Jpeg)
                file = JpegScans.Check(file, width, height);
            return DecodedAtOnce.Run((long)width * height, () => Open(file, format, codec => Decode(codec, read)));
        });
    }

    private static (int Width, int Height) SizeOf(byte[] file, ImageFormat format) => Open(file, format, codec =>
    {
        CheckSize(codec.Info.Width, codec.Info.Height);
        return (codec.Info.Width, codec.Info.Height);
    });

    private static T Open<T>(byte[] file, ImageFormat format, Func<SKCodec, T> use)
    {
        using var bytes = new Pinned(file);
        using var data = SKData.Create(bytes.Address, file.Length);
        using var codec = SKCodec.Create(data);
        return codec is not null && codec.EncodedFormat.ToString() == format.ToString()
            ? use(codec)
            : throw new InvalidDataException(BmpCompression.IsUnknown(file, format)
                ? "the compression of its Bmp file is not supported: save it uncompressed, or as PNG"
                : $"the header of its {format} file is damaged, cut short or of a kind that is not supported");
    }

    private static T Decode<T>(SKCodec codec, BgraReader<T> read)
    {
        var (width, height) = (codec.Info.Width, codec.Info.Height);
        var alpha = codec.Info.AlphaType == SKAlphaType.Opaque ? SKAlphaType.Opaque : SKAlphaType.Premul;
        var rented = ArrayPool<byte>.Shared.Rent(width * height * BgraImage.BytesPerPixel);
        try
        {
            var pixels = rented.AsSpan(0, width * height * BgraImage.BytesPerPixel);
            pixels.Clear();
            SKCodecResult result;
            using (var pinned = new Pinned(rented))
                result = codec.GetPixels(new SKImageInfo(width, height, SKColorType.Bgra8888, alpha), pinned.Address);
            if (result != SKCodecResult.Success)
                throw new InvalidDataException(Explain(result, codec.EncodedFormat.ToString()));
            return read(new BgraImage(pixels, width, height, (ImageOrigin)codec.EncodedOrigin));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private static string Explain(SKCodecResult result, string format) => result switch
    {
        SKCodecResult.IncompleteInput => $"its {format} file ends early",
        SKCodecResult.ErrorInInput or SKCodecResult.InvalidInput => $"its {format} file is damaged or ends early",
        SKCodecResult.Unimplemented or SKCodecResult.InvalidConversion => $"its kind of {format} file is not supported",
        _ => $"its {format} file cannot be decoded ({result})",
    };

    private static ImageFormat? FormatOf(ReadOnlySpan<byte> file) => file switch
    {
        [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => ImageFormat.Png,
        [0xFF, 0xD8, 0xFF, ..] => ImageFormat.Jpeg,
        [(byte)'R', (byte)'I', (byte)'F', (byte)'F', _, _, _, _, (byte)'W', (byte)'E', (byte)'B', (byte)'P', ..] => ImageFormat.Webp,
        [(byte)'G', (byte)'I', (byte)'F', (byte)'8', (byte)'7' or (byte)'9', (byte)'a', ..] => ImageFormat.Gif,
        [(byte)'B', (byte)'M', ..] => ImageFormat.Bmp,
        _ => null,
    };

    private delegate T BgraReader<out T>(in BgraImage image);

    /// <summary>An array that stays where it is, so that native code can reach it.</summary>
    private sealed class Pinned(byte[] array) : IDisposable
    {
        private GCHandle _handle = GCHandle.Alloc(array, GCHandleType.Pinned);

        public nint Address => _handle.AddrOfPinnedObject();

        public void Dispose() => _handle.Free();
    }
}
