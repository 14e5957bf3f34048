namespace Microsoft.ML.Moe.Inputs;

/// <summary>
/// What JPEG at a low quality leaves of an image: brightness and colours apart, colours at half the size, blocks of 8 × 8 as cosines, and
/// these rounded by the tables of the standard (ITU-T T.81, annex K), scaled as the Independent JPEG Group does. What the files do without
/// loss is left out.
/// </summary>
internal static class JpegCorruption
{
    private const int Side = 8;

    private static readonly int[] Brightness =
    [
        16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
        18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
    ];

    private static readonly int[] Colours =
    [
        17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
        99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    ];

    private static readonly float[] Cosines = [.. Enumerable.Range(0, Side * Side).Select(i =>
        (i / Side == 0 ? MathF.Sqrt(1f / Side) : MathF.Sqrt(2f / Side)) * MathF.Cos((2 * (i % Side) + 1) * (i / Side) * MathF.PI / (2 * Side)))];

    /// <summary>See <see cref="ImageCorruptionKind.JpegCompression"/>; the strength is the quality.</summary>
    public static UnitImage Apply(UnitImage image, CorruptionStrength strength)
    {
        var quality = strength.Of<int>([80, 65, 58, 50, 40], [25, 18, 15, 10, 7]);
        var factor = quality < 50 ? 5000 / quality : 200 - 2 * quality;
        var (w, h) = (image.Width, image.Height);
        var result = image.Alike();
        if (image.Channels != 3)
        {
            for (var c = 0; c < image.Channels; c++)
            {
                var channel = c;
                var plane = Rounded([.. Enumerable.Range(0, w * h).Select(p => 255 * image.Values[p * image.Channels + channel])], w, h, Brightness, factor);
                for (var p = 0; p < plane.Length; p++)
                    result.Values[p * image.Channels + c] = plane[p] / 255;
            }

            return result;
        }

        var (y, cb, cr) = (new float[w * h], new float[w * h], new float[w * h]);
        for (var p = 0; p < w * h; p++)
        {
            var (r, g, b) = (255 * image.Values[3 * p], 255 * image.Values[3 * p + 1], 255 * image.Values[3 * p + 2]);
            y[p] = 0.299f * r + 0.587f * g + 0.114f * b;
            cb[p] = 128 + (b - y[p]) / 1.772f;
            cr[p] = 128 + (r - y[p]) / 1.402f;
        }

        y = Rounded(y, w, h, Brightness, factor);
        var (halfWidth, halfHeight) = ((w + 1) / 2, (h + 1) / 2);
        cb = Rounded(Halved(cb, w, h), halfWidth, halfHeight, Colours, factor);
        cr = Rounded(Halved(cr, w, h), halfWidth, halfHeight, Colours, factor);
        for (var p = 0; p < w * h; p++)
        {
            var half = p / w / 2 * halfWidth + p % w / 2;
            var (blue, red) = (cb[half] - 128, cr[half] - 128);
            result.Values[3 * p] = (y[p] + 1.402f * red) / 255;
            result.Values[3 * p + 1] = (y[p] - 0.344136f * blue - 0.714136f * red) / 255;
            result.Values[3 * p + 2] = (y[p] + 1.772f * blue) / 255;
        }

        return result;
    }

    private static float[] Halved(float[] plane, int width, int height)
    {
        var (w, h) = ((width + 1) / 2, (height + 1) / 2);
        var half = new float[w * h];
        for (var p = 0; p < half.Length; p++)
        {
            var (x, y) = (p % w * 2, p / w * 2);
            var (right, below) = (Math.Min(x + 1, width - 1), Math.Min(y + 1, height - 1));
            half[p] = (plane[y * width + x] + plane[y * width + right] + plane[below * width + x] + plane[below * width + right]) / 4;
        }

        return half;
    }

    /// <summary>A plane whose blocks' cosines are rounded to multiples; beyond the edge, the edge.</summary>
    private static float[] Rounded(float[] plane, int width, int height, int[] table, int factor)
    {
        var result = new float[plane.Length];
        var (block, cosines) = (new float[Side * Side], new float[Side * Side]);
        for (var top = 0; top < height; top += Side)
            for (var left = 0; left < width; left += Side)
            {
                for (var i = 0; i < block.Length; i++)
                    block[i] = plane[Math.Min(top + i / Side, height - 1) * width + Math.Min(left + i % Side, width - 1)] - 128;
                Transform(block, cosines, isInverse: false);
                for (var i = 0; i < cosines.Length; i++)
                {
                    var step = Math.Clamp((table[i] * factor + 50) / 100, 1, 255);
                    cosines[i] = MathF.Round(cosines[i] / step) * step;
                }

                Transform(cosines, block, isInverse: true);
                for (var i = 0; i < block.Length; i++)
                    if (top + i / Side < height && left + i % Side < width)
                        result[(top + i / Side) * width + left + i % Side] = Math.Clamp(block[i] + 128, 0, 255);
            }

        return result;
    }

    private static void Transform(float[] from, float[] to, bool isInverse)
    {
        Span<float> rows = stackalloc float[Side * Side];
        for (var pass = 0; pass < 2; pass++)
            for (var i = 0; i < Side; i++)
                for (var k = 0; k < Side; k++)
                {
                    var sum = 0f;
                    for (var j = 0; j < Side; j++)
                    {
                        var cosine = isInverse ? Cosines[j * Side + k] : Cosines[k * Side + j];
                        sum += cosine * (pass == 0 ? from[i * Side + j] : rows[j * Side + i]);
                    }

                    if (pass == 0)
                        rows[i * Side + k] = sum;
                    else
                        to[k * Side + i] = sum;
                }
    }
}
