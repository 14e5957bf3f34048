using System.Globalization;
using System.IO.Compression;
using Samples;

namespace ImageClassification;

/// <summary>Handwritten digits, as they come with this sample: see <c>Data/README.md</c>.</summary>
internal static class Digits
{
    /// <summary>Pixels in a row, and rows.</summary>
    public const int Side = 8;

    private const string Shades = " .:-=+*#%@";
    private const float Darkest = 16;

    /// <summary>Reads the digits; a fifth of them, drawn at random, is for testing.</summary>
    public static Examples<PixelExample> Load(int seed)
    {
        Terminal.Line("Handwritten digits, 8 × 8 pixels each: tell which digit it is.");
        using var packed = typeof(Digits).Assembly.GetManifestResourceStream("digits.csv.gz")!;
        using var reader = new StreamReader(new GZipStream(packed, CompressionMode.Decompress));
        var (train, test) = Split.Of(Read(reader), row => row.Label, seed);
        return new Examples<PixelExample>(train, test);
    }

    /// <summary>Reads lines of pixels, the digit at their end.</summary>
    internal static IEnumerable<PixelExample> Read(TextReader lines)
    {
        while (lines.ReadLine() is { } line)
        {
            var values = line.Split(',');
            float[] pixels = [.. values.Take(Side * Side).Select(value => float.Parse(value, CultureInfo.InvariantCulture))];
            yield return new PixelExample { Features = pixels, Label = values[^1], Name = Draw(pixels) };
        }
    }

    /// <summary>An image in characters.</summary>
    internal static string Draw(float[] pixels) => string.Join('\n', pixels.Chunk(Side).Select(row =>
        "  " + string.Concat(row.SelectMany(p => Enumerable.Repeat(Shades[(int)(p / Darkest * (Shades.Length - 1))], 2))).TrimEnd()));
}
