namespace Microsoft.ML.Moe.Inputs;

/// <summary>What a new pixel is made of, by the names of Pillow.</summary>
internal enum ResizeFilter
{
    /// <summary>A triangle: Pillow's <c>BILINEAR</c>, 2.</summary>
    Bilinear = 2,

    /// <summary>Cubic pieces with a = −0.5: Pillow's <c>BICUBIC</c>, 3.</summary>
    Bicubic = 3,
}

/// <summary>
/// Resizes images bit for bit as Pillow 13 does, which published models were trained behind: one pass along rows and one along columns,
/// each with weights in 22 bits behind the point and bytes as its result. A filter is as much wider as an image shrinks. The columns come
/// first where that is less work by much; up to Pillow 12 the rows always did, which differs by one level with
/// <see cref="ResizeFilter.Bilinear"/>, by
/// up to
/// seven with <see cref="ResizeFilter.Bicubic"/>, and in tall images alone.
/// </summary>
internal static class PilResizing
{
    private const int Bits = 22;
    private const double CubicA = -0.5;

    /// <summary>Resizes an image.</summary>
    /// <param name="source">width × height × channels values, all channels of a pixel together.</param>
    /// <param name="width">Pixels in a row.</param>
    /// <param name="height">Rows of pixels.</param>
    /// <param name="newWidth">Pixels in a row afterwards.</param>
    /// <param name="newHeight">Rows of pixels afterwards.</param>
    /// <param name="channels">Values of a pixel.</param>
    /// <param name="filter">The filter.</param>
    public static byte[] Resize(
        ReadOnlySpan<byte> source, int width, int height, int newWidth, int newHeight, int channels, ResizeFilter filter)
    {
        var isColumnsFirst = height - newHeight > 2 * Math.Max(width - newWidth, 0);
        return isColumnsFirst
            ? Across(Down(source, width, height, newHeight, channels, filter), width, newHeight, newWidth, channels, filter)
            : Down(Across(source, width, height, newWidth, channels, filter), newWidth, height, newHeight, channels, filter);
    }

    private static byte[] Across(ReadOnlySpan<byte> source, int width, int height, int newWidth, int channels, ResizeFilter filter)
    {
        if (width == newWidth)
            return source.ToArray();
        var taps = Taps(width, newWidth, filter);
        var result = new byte[checked(newWidth * height * channels)];
        for (var y = 0; y < height; y++)
        {
            var row = source.Slice(y * width * channels, width * channels);
            for (var x = 0; x < newWidth; x++)
            {
                var (first, weights) = taps[x];
                for (var c = 0; c < channels; c++)
                {
                    var sum = 1 << (Bits - 1);
                    for (var i = 0; i < weights.Length; i++)
                        sum += weights[i] * row[(first + i) * channels + c];
                    result[(y * newWidth + x) * channels + c] = Clamp(sum);
                }
            }
        }

        return result;
    }

    private static byte[] Down(ReadOnlySpan<byte> source, int width, int height, int newHeight, int channels, ResizeFilter filter)
    {
        if (height == newHeight)
            return source.ToArray();
        var taps = Taps(height, newHeight, filter);
        var stride = width * channels;
        var result = new byte[checked(stride * newHeight)];
        var sums = new int[stride];
        for (var y = 0; y < newHeight; y++)
        {
            Array.Fill(sums, 1 << (Bits - 1));
            var (first, weights) = taps[y];
            for (var i = 0; i < weights.Length; i++)
            {
                var row = source.Slice((first + i) * stride, stride);
                for (var x = 0; x < stride; x++)
                    sums[x] += weights[i] * row[x];
            }

            for (var x = 0; x < stride; x++)
                result[y * stride + x] = Clamp(sums[x]);
        }

        return result;
    }

    private static byte Clamp(int sum) => (byte)Math.Clamp(sum >> Bits, 0, 255);

    /// <summary>For each new place the first of the old ones that it is made of, and their weights.</summary>
    private static (int First, int[] Weights)[] Taps(int size, int newSize, ResizeFilter filter)
    {
        var scale = (double)size / newSize;
        var wider = Math.Max(scale, 1);
        var reach = (filter == ResizeFilter.Bilinear ? 1 : 2) * wider;
        var taps = new (int, int[])[newSize];
        for (var i = 0; i < newSize; i++)
        {
            var centre = (i + 0.5) * scale;
            var first = Math.Max((int)(centre - reach + 0.5), 0);
            var end = Math.Min((int)(centre + reach + 0.5), size);
            var weights = new double[end - first];
            var sum = 0.0;
            for (var j = 0; j < weights.Length; j++)
                sum += weights[j] = Weight(filter, (first + j - centre + 0.5) * (1 / wider));
            taps[i] = (first, Array.ConvertAll(weights, weight => Fixed(weight * (1 / sum))));
        }

        return taps;
    }

    private static int Fixed(double weight) => (int)(weight * (1 << Bits) + (weight < 0 ? -0.5 : 0.5));

    private static double Weight(ResizeFilter filter, double x)
    {
        x = Math.Abs(x);
        if (filter == ResizeFilter.Bilinear)
            return x < 1 ? 1 - x : 0;
        return x < 1 ? ((CubicA + 2) * x - (CubicA + 3)) * x * x + 1
            : x < 2 ? (((x - 5) * x + 8) * x - 4) * CubicA
            : 0;
    }
}
