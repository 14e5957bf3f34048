namespace Microsoft.ML.Moe.Inputs;

/// <summary>Blur.</summary>
internal static class BlurCorruptions
{
    /// <summary>
    /// See <see cref="ImageCorruptionKind.DefocusBlur"/>; the strength is the radius of the disk, and the blur of its edge, in pixels.
    /// </summary>
    public static UnitImage Defocus(UnitImage image, CorruptionStrength strength)
    {
        var (radius, edge) = strength.Of<(float, float)>(
            [(0.3f, 0.4f), (0.4f, 0.5f), (0.5f, 0.6f), (1f, 0.2f), (1.5f, 0.1f)],
            [(3f, 0.1f), (4f, 0.5f), (6f, 0.5f), (8f, 0.5f), (10f, 0.5f)]);
        radius *= strength.Scale;
        var reach = (int)MathF.Ceiling(radius);
        var disk = new List<(int X, int Y, float Weight)>();
        for (var y = -reach; y <= reach; y++)
            for (var x = -reach; x <= reach; x++)
                if (x * x + y * y <= radius * radius)
                    disk.Add((x, y, 1f));
        return image.Filter([.. disk.Select(place => place with { Weight = 1f / disk.Count })]).Blur(edge * strength.Scale);
    }

    /// <summary>
    /// See <see cref="ImageCorruptionKind.GlassBlur"/>; blur before and after, farthest exchange in pixels, and rounds of it.
    /// </summary>
    public static UnitImage Glass(UnitImage image, CorruptionStrength strength, CorruptionNoise noise)
    {
        var (deviation, farthest, rounds) = strength.Of<(float, float, int)>(
            [(0.05f, 1, 1), (0.25f, 1, 1), (0.4f, 1, 1), (0.25f, 1, 2), (0.4f, 1, 2)],
            [(0.7f, 1, 2), (0.9f, 2, 1), (1f, 2, 3), (1.1f, 3, 2), (1.5f, 4, 2)]);
        var reach = Math.Max(1, (int)MathF.Round(farthest * strength.Scale));
        var blurred = image.Blur(deviation * strength.Scale).Map(value => value);
        var (values, channels) = (blurred.Values, blurred.Channels);
        for (var round = 0; round < rounds; round++)
            for (var y = image.Height - 1 - reach; y >= reach; y--)
                for (var x = image.Width - 1 - reach; x >= reach; x--)
                {
                    var (dx, dy) = ((int)noise.Within(-reach, reach + 1), (int)noise.Within(-reach, reach + 1));
                    var (here, there) = ((y * image.Width + x) * channels, ((y + dy) * image.Width + x + dx) * channels);
                    for (var c = 0; c < channels; c++)
                        (values[here + c], values[there + c]) = (values[there + c], values[here + c]);
                }

        return blurred.Blur(deviation * strength.Scale);
    }

    /// <summary>See <see cref="ImageCorruptionKind.MotionBlur"/>; reach and standard deviation of the trace, in pixels.</summary>
    public static UnitImage Motion(UnitImage image, CorruptionStrength strength, CorruptionNoise noise)
    {
        var (reach, deviation) = strength.Of<(float, float)>(
            [(6, 1f), (6, 1.5f), (6, 2f), (8, 2f), (9, 2.5f)], [(10, 3f), (15, 5f), (15, 8f), (15, 12f), (20, 15f)]);
        return Trace(image, reach * strength.Scale, deviation * strength.Scale, noise.Within(-45, 45));
    }

    /// <summary>A trace to one side, weighted by half a normal distribution.</summary>
    /// <param name="image">The image.</param>
    /// <param name="reach">Its length in pixels.</param>
    /// <param name="deviation">The distribution's standard deviation in pixels.</param>
    /// <param name="degrees">The direction.</param>
    public static UnitImage Trace(UnitImage image, float reach, float deviation, float degrees)
    {
        var (sin, cos) = MathF.SinCos(degrees * MathF.PI / 180);
        var kernel = new Dictionary<(int X, int Y), float>();
        for (var i = 0; i <= (int)MathF.Ceiling(reach); i++)
        {
            var place = ((int)MathF.Round(i * cos), (int)MathF.Round(i * sin));
            kernel[place] = kernel.GetValueOrDefault(place) + MathF.Exp(-i * i / (2 * deviation * deviation));
        }

        var sum = kernel.Values.Sum();
        return image.Filter([.. kernel.OrderBy(k => k.Key).Select(k => (k.Key.X, k.Key.Y, k.Value / sum))]);
    }

    /// <summary>See <see cref="ImageCorruptionKind.ZoomBlur"/>; the largest zoom, and the step from one to the next.</summary>
    public static UnitImage Zoom(UnitImage image, CorruptionStrength strength)
    {
        var (most, step) = strength.Of<(float, float)>(
            [(1.05f, 0.01f), (1.10f, 0.01f), (1.15f, 0.01f), (1.20f, 0.01f), (1.25f, 0.01f)],
            [(1.10f, 0.01f), (1.15f, 0.01f), (1.20f, 0.02f), (1.24f, 0.02f), (1.30f, 0.03f)]);
        var sum = image.Map(value => value);
        var (middleX, middleY) = ((image.Width - 1) / 2f, (image.Height - 1) / 2f);
        var images = 1;
        for (var i = 0; 1 + i * step < most + step / 2; i++, images++)
        {
            var zoom = 1 + i * step;
            var zoomed = image.Warp((x, y) => (middleX + (x - middleX) / zoom, middleY + (y - middleY) / zoom));
            for (var p = 0; p < sum.Values.Length; p++)
                sum.Values[p] += zoomed.Values[p];
        }

        return sum.Map(value => value / images);
    }
}
