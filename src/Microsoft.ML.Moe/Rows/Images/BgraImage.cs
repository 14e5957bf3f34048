using System.Buffers;
using Microsoft.ML.Moe.Inputs;

namespace Microsoft.ML.Moe.Rows;

/// <summary>
/// An image as Skia holds it, four bytes a pixel, and how it becomes what a model reads: upright, without transparency, in the model's
/// channels and size.
/// </summary>
/// <param name="pixels">
/// width × height × 4 bytes, row by row from the top: blue, green, red, alpha. Colours are premultiplied with alpha; where they exceed
/// it, they cannot be, and the whole image is taken as it stands.
/// </param>
/// <param name="width">Pixels in a row.</param>
/// <param name="height">Rows of pixels.</param>
/// <param name="origin">Which corner the first pixel belongs to when the image stands upright (EXIF orientation).</param>
/// <param name="redFirst">Whether the order is red, green, blue, alpha.</param>
internal readonly ref struct BgraImage(
    ReadOnlySpan<byte> pixels, int width, int height, ImageOrigin origin = ImageOrigin.TopLeft, bool redFirst = false)
{
    /// <summary>Bytes of a pixel.</summary>
    public const int BytesPerPixel = 4;

    /// <summary>What alpha means in an image.</summary>
    private enum Alpha
    {
        /// <summary>Nothing: every pixel is opaque.</summary>
        Unused,

        /// <summary>Colours are multiplied with it already.</summary>
        Premultiplied,

        /// <summary>Colours are as they would be without it.</summary>
        Straight,
    }

    private readonly ReadOnlySpan<byte> _pixels = pixels;

    /// <summary>Turns it into what a model reads.</summary>
    /// <param name="input">Size and channels, 1 or 3.</param>
    public ImagePixels Encode(ImageInput input)
    {
        var length = width * height * input.Channels;
        var rented = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            var channels = rented.AsSpan(0, length);
            CopyTo(channels, input.Channels);
            var lies = origin >= ImageOrigin.LeftTop;
            return input.Encode(channels, lies ? height : width, lies ? width : height);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>Red, green and blue of each pixel, upright, row by row from the top, and the upright image's size.</summary>
    public (byte[] Pixels, int Width, int Height) ToColours()
    {
        var pixels = new byte[width * height * 3];
        CopyTo(pixels, 3);
        var lies = origin >= ImageOrigin.LeftTop;
        return (pixels, lies ? height : width, lies ? width : height);
    }

    private void CopyTo(Span<byte> destination, int channels)
    {
        var (first, across, down) = Walk();
        var (columns, rows) = origin >= ImageOrigin.LeftTop ? (height, width) : (width, height);
        var (red, blue) = redFirst ? (0, 2) : (2, 0);
        var alpha = Meaning();
        var to = 0;
        for (var y = 0; y < rows; y++)
        {
            var from = (first + y * down) * BytesPerPixel;
            for (var x = 0; x < columns; x++, from += across * BytesPerPixel)
            {
                var pixel = _pixels.Slice(from, BytesPerPixel);
                var (r, g, b) = (pixel[red], pixel[1], pixel[blue]);
                if (alpha != Alpha.Unused)
                    (r, g, b) = (OnWhite(r, pixel[3], alpha), OnWhite(g, pixel[3], alpha), OnWhite(b, pixel[3], alpha));
                if (channels == 1)
                {
                    destination[to++] = (byte)((77 * r + 150 * g + 29 * b) >> 8); // luma of ITU-R BT.601 in 256ths
                    continue;
                }

                destination[to] = r;
                destination[to + 1] = g;
                destination[to + 2] = b;
                to += 3;
            }
        }
    }

    /// <summary>Where the upright image's first pixel lies, and the steps to those on its right and below it.</summary>
    private (int First, int Across, int Down) Walk()
    {
        var (right, bottom) = (width - 1, (height - 1) * width);
        return origin switch
        {
            ImageOrigin.TopRight => (right, -1, width),
            ImageOrigin.BottomRight => (bottom + right, -1, -width),
            ImageOrigin.BottomLeft => (bottom, 1, -width),
            ImageOrigin.LeftTop => (0, width, 1),
            ImageOrigin.RightTop => (bottom, -width, 1),
            ImageOrigin.RightBottom => (bottom + right, -width, -1),
            ImageOrigin.LeftBottom => (right, width, -1),
            _ => (0, 1, width),
        };
    }

    /// <summary>
    /// An image that says nothing about alpha is premultiplied by Skia's convention. ML.NET also makes others of whatever bytes it is
    /// given, among them images in which alpha is 0 everywhere because it was never set.
    /// </summary>
    private Alpha Meaning()
    {
        var (isOpaque, isInvisible, exceeds) = (true, true, false);
        for (var i = 0; i < _pixels.Length; i += BytesPerPixel)
        {
            var alpha = _pixels[i + 3];
            if (alpha == byte.MaxValue)
            {
                isInvisible = false;
                continue;
            }

            isOpaque = false;
            isInvisible &= alpha == 0;
            exceeds |= Math.Max(_pixels[i], Math.Max(_pixels[i + 1], _pixels[i + 2])) > alpha;
        }

        return isOpaque || (isInvisible && exceeds) ? Alpha.Unused : exceeds ? Alpha.Straight : Alpha.Premultiplied;
    }

    private static byte OnWhite(byte colour, byte alpha, Alpha meaning) => meaning == Alpha.Premultiplied
        ? (byte)(colour + byte.MaxValue - alpha)
        : (byte)((colour * alpha + byte.MaxValue * (byte.MaxValue - alpha) + byte.MaxValue / 2) / byte.MaxValue);
}
