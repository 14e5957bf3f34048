namespace Microsoft.ML.Moe.Inputs;

/// <summary>What happens to digital images.</summary>
internal static class DigitalCorruptions
{
    /// <summary>See <see cref="ImageCorruptionKind.Contrast"/>; what is left of the distance from each channel's mean.</summary>
    public static UnitImage Contrast(UnitImage image, CorruptionStrength strength)
    {
        var left = strength.Of<float>([0.75f, 0.5f, 0.4f, 0.3f, 0.15f], [0.4f, 0.3f, 0.2f, 0.1f, 0.05f]);
        var means = new double[image.Channels];
        for (var i = 0; i < image.Values.Length; i++)
            means[i % image.Channels] += image.Values[i] / (double)(image.Width * image.Height);
        var at = 0;
        return image.Map(value =>
        {
            var mean = (float)means[at++ % image.Channels];
            return mean + left * (value - mean);
        });
    }

    /// <summary>
    /// See <see cref="ImageCorruptionKind.ElasticTransform"/>; how far places move, how smoothly, and how far three corners of a square in
    /// the middle do, which the rest follows in straight lines; each as a share of the shorter side.
    /// </summary>
    public static UnitImage Elastic(UnitImage image, CorruptionStrength strength, CorruptionNoise noise)
    {
        var (amount, smoothness, corners) = strength.Of<(float, float, float)>(
            [(0f, 0f, 0.08f), (0.05f, 0.2f, 0.07f), (0.08f, 0.06f, 0.06f), (0.1f, 0.04f, 0.05f), (0.1f, 0.03f, 0.03f)],
            [(2f, 0.7f, 0.1f), (2f, 0.08f, 0.2f), (0.05f, 0.01f, 0.02f), (0.07f, 0.01f, 0.02f), (0.12f, 0.01f, 0.02f)]);
        var (w, h, side) = (image.Width, image.Height, Math.Min(image.Width, image.Height));
        var square = side / 3f;
        float[] moves = [.. Enumerable.Range(0, 6).Select(_ => noise.Within(-corners, corners) * side)];
        var (dx, dy) = (Field(), Field());
        return image.Warp((x, y) =>
        {
            // three corners of the square move: what lies at (u, v) between them moves with them
            var (u, v) = ((x - w / 2f + square) / (2 * square), (y - h / 2f + square) / (2 * square));
            var (moveX, moveY) = (
                moves[0] + u * (moves[2] - moves[0]) + v * (moves[4] - moves[0]), moves[1] + u * (moves[3] - moves[1]) + v * (moves[5] - moves[1]));
            return (x + moveX + dx[y * w + x], y + moveY + dy[y * w + x]);
        });

        float[] Field()
        {
            var field = new UnitImage(w, h, 1);
            for (var i = 0; i < field.Values.Length; i++)
                field.Values[i] = noise.Within(-1, 1);
            return field.Blur(smoothness * side).Map(value => value * amount * side).Values;
        }
    }

    /// <summary>See <see cref="ImageCorruptionKind.Pixelate"/>; the share of the sides that is left in between.</summary>
    public static UnitImage Pixelate(UnitImage image, CorruptionStrength strength)
    {
        var share = strength.Of<float>([0.95f, 0.9f, 0.85f, 0.75f, 0.65f], [0.6f, 0.5f, 0.4f, 0.3f, 0.25f]);
        var (w, h) = (Math.Max(1, (int)(image.Width * share)), Math.Max(1, (int)(image.Height * share)));
        var small = new UnitImage(w, h, image.Channels);
        for (var y = 0; y < h; y++)
            for (var x = 0; x < w; x++)
                for (var c = 0; c < image.Channels; c++)
                    small.Values[(y * w + x) * image.Channels + c] = Covered(image, (float)image.Width / w, (float)image.Height / h, x, y, c);
        var result = image.Alike();
        for (var i = 0; i < result.Values.Length; i++)
        {
            var (pixel, c) = Math.DivRem(i, image.Channels);
            var (x, y) = ((int)((pixel % image.Width + 0.5f) * w / image.Width), (int)((pixel / image.Width + 0.5f) * h / image.Height));
            result.Values[i] = small.Values[(y * w + x) * image.Channels + c];
        }

        return result;
    }

    /// <summary>The mean of what a pixel of a smaller image covers.</summary>
    private static float Covered(UnitImage image, float across, float down, int x, int y, int channel)
    {
        var (sum, area) = (0f, 0f);
        for (var fromY = (int)(y * down); fromY < (y + 1) * down && fromY < image.Height; fromY++)
            for (var fromX = (int)(x * across); fromX < (x + 1) * across && fromX < image.Width; fromX++)
            {
                var part = (Math.Min(fromX + 1, (x + 1) * across) - Math.Max(fromX, x * across))
                    * (Math.Min(fromY + 1, (y + 1) * down) - Math.Max(fromY, y * down));
                sum += part * image[fromX, fromY, channel];
                area += part;
            }

        return sum / area;
    }
}
