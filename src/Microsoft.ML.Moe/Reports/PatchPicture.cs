using Microsoft.ML.Moe.Inputs;
using Microsoft.ML.Moe.Rows;
using SkiaSharp;

namespace Microsoft.ML.Moe.Reports;

/// <summary>An image, enlarged, with its patches coloured.</summary>
internal sealed class PatchPicture
{
    /// <summary>Pixels of a patch's side in the picture, at least.</summary>
    private const int LeastPatch = 12;

    /// <summary>How much of the colour there is in a patch.</summary>
    private const float Share = 0.6f;

    /// <summary>
    /// What the hue of an expert is further than that of the one before, in degrees: the golden angle keeps any number of them apart.
    /// </summary>
    private const float HueStep = 137.508f;

    private readonly PatchGrid _grid;
    private readonly byte[] _colours;

    /// <summary>Takes an image.</summary>
    /// <param name="grid">Its patches.</param>
    /// <param name="image">The image; numbers that are no bytes are brought into their range by its smallest and largest.</param>
    public PatchPicture(PatchGrid grid, ImagePixels image)
    {
        _grid = grid;
        var values = new float[image.Length];
        image.CopyTo(values);
        var (least, most) = image.IsOfBytes ? (0f, 255f) : (values.Min(), values.Max());
        var channels = grid.Input.Channels;
        _colours = new byte[grid.Input.Width * grid.Input.Height * 3];
        for (var i = 0; i < _colours.Length; i++)
        {
            var value = values[i / 3 * channels + (channels >= 3 ? i % 3 : 0)];
            _colours[i] = (byte)Math.Clamp(255 * (value - least) / Math.Max(1e-12f, most - least), 0, 255);
        }
    }

    /// <summary>Colour of an expert.</summary>
    public static SKColor ColourOf(int expert) => SKColor.FromHsv(expert * HueStep % 360, 85, expert % 2 == 0 ? 95 : 75);

    /// <summary>The picture as a PNG file.</summary>
    /// <param name="experts">Expert of each patch, −1 for none; null draws the image as it is.</param>
    /// <param name="count">Number of experts.</param>
    public byte[] Draw(int[]? experts, int count) => NativeSkia.Run(() =>
    {
        var enlarged = Math.Max(1, (LeastPatch + _grid.Size - 1) / _grid.Size);
        var (width, height) = (_grid.Input.Width, _grid.Input.Height);
        SKColor[] palette = [.. Enumerable.Range(0, count).Select(ColourOf)];
        using var bitmap = new SKBitmap(width * enlarged, height * enlarged, SKColorType.Bgra8888, SKAlphaType.Opaque);
        for (var y = 0; y < bitmap.Height; y++)
            for (var x = 0; x < bitmap.Width; x++)
            {
                var (fromX, fromY) = (x / enlarged, y / enlarged);
                var at = (fromY * width + fromX) * 3;
                var colour = new SKColor(_colours[at], _colours[at + 1], _colours[at + 2]);
                var expert = experts?[fromY / _grid.Size * _grid.Columns + fromX / _grid.Size] ?? -1;
                bitmap.SetPixel(x, y, expert < 0 ? colour : Mixed(colour, palette[expert]));
            }

        using var pixels = bitmap.PeekPixels();
        using var data = pixels.Encode(SKEncodedImageFormat.Png, 100);
        return data.ToArray();
    });

    private static SKColor Mixed(SKColor image, SKColor expert) => new(
        Mix(image.Red, expert.Red), Mix(image.Green, expert.Green), Mix(image.Blue, expert.Blue));

    private static byte Mix(byte image, byte expert) => (byte)((1 - Share) * image + Share * expert);
}
