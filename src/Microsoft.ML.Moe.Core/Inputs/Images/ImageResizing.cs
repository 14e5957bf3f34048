namespace Microsoft.ML.Moe.Inputs;

/// <summary>
/// Resizes images with a triangle filter: bilinear interpolation where an image grows, a weighted mean over all that a new pixel covers
/// where it shrinks, so that nothing is skipped and no pattern is made up.
/// </summary>
internal static class ImageResizing
{
    /// <summary>Resizes an image.</summary>
    /// <param name="source">width × height × channels values, row by row, all channels of a pixel together.</param>
    /// <param name="width">Pixels in a row.</param>
    /// <param name="height">Rows of pixels.</param>
    /// <param name="newWidth">Pixels in a row afterwards.</param>
    /// <param name="newHeight">Rows of pixels afterwards.</param>
    /// <param name="channels">Values of a pixel.</param>
    public static byte[] Resize(ReadOnlySpan<byte> source, int width, int height, int newWidth, int newHeight, int channels)
    {
        var across = Filter(width, newWidth);
        var rows = new float[height * newWidth * channels];
        for (var y = 0; y < height; y++)
        {
            var from = source.Slice(y * width * channels, width * channels);
            var to = rows.AsSpan(y * newWidth * channels, newWidth * channels);
            for (var x = 0; x < newWidth; x++)
            {
                var covered = from.Slice(across[x].First * channels, across[x].Weights.Length * channels);
                if (channels == 3)
                    SumColours(covered, across[x].Weights, to.Slice(3 * x, 3));
                else
                    Sum(covered, across[x].Weights, to.Slice(x * channels, channels));
            }
        }

        var down = Filter(height, newHeight);
        var stride = newWidth * channels;
        var sums = new float[stride];
        var result = new byte[newHeight * stride];
        for (var y = 0; y < newHeight; y++)
        {
            Array.Clear(sums);
            for (var i = 0; i < down[y].Weights.Length; i++)
                for (var (x, from) = (0, (down[y].First + i) * stride); x < stride; x++)
                    sums[x] += down[y].Weights[i] * rows[from + x];
            for (var x = 0; x < stride; x++)
                result[y * stride + x] = (byte)Math.Clamp(MathF.Round(sums[x]), 0f, 255f);
        }

        return result;
    }

    private static void Sum(ReadOnlySpan<byte> pixels, float[] weights, Span<float> sums)
    {
        for (var i = 0; i < weights.Length; i++)
            for (var c = 0; c < sums.Length; c++)
                sums[c] += weights[i] * pixels[i * sums.Length + c];
    }

    /// <summary>The same for three channels, whose sums stay in registers.</summary>
    private static void SumColours(ReadOnlySpan<byte> pixels, float[] weights, Span<float> sums)
    {
        var (red, green, blue) = (0f, 0f, 0f);
        for (var (i, from) = (0, 0); i < weights.Length && from + 2 < pixels.Length; i++, from += 3)
        {
            red += weights[i] * pixels[from];
            green += weights[i] * pixels[from + 1];
            blue += weights[i] * pixels[from + 2];
        }

        (sums[0], sums[1], sums[2]) = (red, green, blue);
    }

    /// <summary>For each new place the old ones that it is made of, and their weights, which sum to 1.</summary>
    private static (int First, float[] Weights)[] Filter(int size, int newSize)
    {
        var scale = (double)size / newSize;
        var reach = Math.Max(1, scale);
        var filter = new (int, float[])[newSize];
        for (var i = 0; i < newSize; i++)
        {
            var centre = (i + 0.5) * scale - 0.5;
            var first = Math.Max(0, (int)Math.Ceiling(centre - reach));
            var last = Math.Min(size - 1, (int)Math.Floor(centre + reach));
            var weights = new double[last - first + 1];
            for (var place = first; place <= last; place++)
                weights[place - first] = Math.Max(0, 1 - Math.Abs(place - centre) / reach);
            var sum = weights.Sum();
            filter[i] = (first, Array.ConvertAll(weights, weight => (float)(weight / sum)));
        }

        return filter;
    }
}
