using Microsoft.ML.Moe.Inputs;
using StbImageSharp;

namespace Microsoft.ML.Moe.Rows;

/// <summary>
/// Decodes image files, which may come from anywhere: what kind of file it is and how large the image are known before anything is
/// decoded.
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

    private static readonly byte[] Png = [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];
    private static readonly byte[][] Signatures = [Png, [0xFF, 0xD8, 0xFF], [(byte)'B', (byte)'M']];

    /// <summary>Checks that a file is there and not too long, before it is copied.</summary>
    /// <exception cref="InvalidDataException">It is missing or too long; the message says which.</exception>
    public static void CheckLength(int bytes)
    {
        if (bytes == 0)
            throw new InvalidDataException("it is missing");
        if (bytes > MaximumBytes)
            throw new InvalidDataException($"its file has {bytes} bytes, more than {MaximumBytes}");
    }

    /// <summary>Decodes and resizes an image.</summary>
    /// <param name="file">A PNG, JPEG or BMP file.</param>
    /// <exception cref="InvalidDataException">It is none, is damaged or too large; the message says which.</exception>
    public ImagePixels Decode(byte[] file)
    {
        CheckLength(file.Length);
        if (!Array.Exists(Signatures, signature => file.AsSpan().StartsWith(signature)))
            throw new InvalidDataException("it is no PNG, JPEG or BMP file");
        try
        {
            var info = ImageInfo.FromStream(new ClampedStream(file)) ?? throw new InvalidDataException("its header cannot be read");
            CheckSize(info.Width, info.Height);
            if (file.AsSpan().StartsWith(Png))
                PngCheck.Check(file, info.Width, info.Height);
            return DecodedAtOnce.Run((long)info.Width * info.Height, () =>
            {
                var image = ImageResult.FromStream(
                    new ClampedStream(file), input.Channels == 1 ? ColorComponents.Grey : ColorComponents.RedGreenBlue);
                return input.Encode(image.Data, image.Width, image.Height);
            });
        }
        catch (Exception e) when (e is not (InvalidDataException or OutOfMemoryException))
        {
            throw new InvalidDataException($"it cannot be decoded: {e.Message}", e);
        }
    }

    private static void CheckSize(int width, int height)
    {
        if (width < 1 || height < 1 || width > MaximumSide || height > MaximumSide || (long)width * height > MaximumPixels)
            throw new InvalidDataException(
                $"it has {width} × {height} pixels; possible are up to {MaximumSide} on a side and {MaximumPixels} in all");
    }
}
