namespace Microsoft.ML.Moe.Inputs;

/// <summary>Weather.</summary>
internal static class WeatherCorruptions
{
    private const float Red = 0.299f;
    private const float Green = 0.587f;
    private const float Blue = 0.114f;

    /// <summary>
    /// See <see cref="ImageCorruptionKind.Snow"/>; mean and deviation of the flakes, their size, least density, reach and deviation of
    /// their trace, and the share of the image's own colours.
    /// </summary>
    public static UnitImage Snow(UnitImage image, CorruptionStrength strength, CorruptionNoise noise)
    {
        var (mean, deviation, size, least, reach, trace, own) = strength.Of<(float, float, float, float, float, float, float)>(
            [(0.1f, 0.2f, 1f, 0.6f, 8, 3, 0.95f), (0.1f, 0.2f, 1f, 0.5f, 10, 4, 0.9f), (0.15f, 0.3f, 1.75f, 0.55f, 10, 4, 0.9f),
                (0.25f, 0.3f, 2.25f, 0.6f, 12, 6, 0.85f), (0.3f, 0.3f, 1.25f, 0.65f, 14, 12, 0.8f)],
            [(0.1f, 0.3f, 3f, 0.5f, 10, 4, 0.8f), (0.2f, 0.3f, 2f, 0.5f, 12, 4, 0.7f), (0.55f, 0.3f, 4f, 0.9f, 12, 8, 0.7f),
                (0.55f, 0.3f, 4.5f, 0.85f, 12, 8, 0.65f), (0.55f, 0.3f, 2.5f, 0.85f, 12, 12, 0.55f)]);
        var (w, h) = (image.Width, image.Height);
        var flakes = new UnitImage(w, h, 1);
        noise.Normal(w * h).CopyTo(flakes.Values, 0);
        size = Math.Max(1, size * strength.Scale);
        var layer = flakes.Warp((x, y) => (x / size, y / size)).Map(value => mean + deviation * value is var v && v >= least ? Math.Min(v, 1f) : 0f);
        layer = BlurCorruptions.Trace(layer, reach * strength.Scale, trace * strength.Scale, noise.Within(45, 135));
        var result = image.Alike();
        for (var pixel = 0; pixel < w * h; pixel++)
        {
            var pale = 1.5f * Grey(image, pixel) + 0.5f;
            for (var c = 0; c < image.Channels; c++)
            {
                var value = image.Values[pixel * image.Channels + c];
                // the same layer once more, turned round
                result.Values[pixel * image.Channels + c] =
                    own * value + (1 - own) * Math.Max(value, pale) + layer.Values[pixel] + layer.Values[w * h - 1 - pixel];
            }
        }

        return result;
    }

    /// <summary>See <see cref="ImageCorruptionKind.Frost"/>; factors of the image and of the frost.</summary>
    public static UnitImage Frost(UnitImage image, CorruptionStrength strength, CorruptionNoise noise)
    {
        var (own, ice) = strength.Of<(float, float)>(
            [(1f, 0.2f), (1f, 0.3f), (0.9f, 0.4f), (0.85f, 0.4f), (0.75f, 0.45f)],
            [(1f, 0.4f), (0.8f, 0.6f), (0.7f, 0.7f), (0.65f, 0.7f), (0.6f, 0.75f)]);
        var (rough, smooth) = (noise.Clouds(image.Width, image.Height, 1.5f), noise.Clouds(image.Width, image.Height, 2.5f));
        var result = image.Alike();
        for (var i = 0; i < image.Values.Length; i++)
        {
            var pixel = i / image.Channels;
            // needles where rough clouds change their sign, thicker where smooth ones are dense; a little blue
            var needles = 1 - Math.Abs(2 * rough[pixel] - 1);
            var frost = Math.Clamp(0.3f * smooth[pixel] + 0.9f * needles * needles, 0f, 1f);
            if (image.Channels == 3 && i % 3 == 0)
                frost *= 0.9f;
            result.Values[i] = own * image.Values[i] + ice * frost;
        }

        return result;
    }

    /// <summary>See <see cref="ImageCorruptionKind.Fog"/>; its density, and how smooth it is.</summary>
    public static UnitImage Fog(UnitImage image, CorruptionStrength strength, CorruptionNoise noise)
    {
        var (density, decay) = strength.Of<(float, float)>(
            [(0.2f, 3f), (0.5f, 3f), (0.75f, 2.5f), (1f, 2f), (1.5f, 1.75f)], [(1.5f, 2f), (2f, 2f), (2.5f, 1.7f), (2.5f, 1.5f), (3f, 1.4f)]);
        var clouds = noise.Clouds(image.Width, image.Height, decay);
        var most = image.Values.Max();
        var i = 0;
        return image.Map(value => (value + density * clouds[i++ / image.Channels]) * most / (most + density));
    }

    /// <summary>
    /// See <see cref="ImageCorruptionKind.Brightness"/>; what is added to the value of a colour, its largest number, while hue and
    /// saturation stay.
    /// </summary>
    public static UnitImage Brightness(UnitImage image, CorruptionStrength strength)
    {
        var added = strength.Of<float>([0.05f, 0.1f, 0.15f, 0.2f, 0.3f], [0.1f, 0.2f, 0.3f, 0.4f, 0.5f]);
        if (image.Channels != 3)
            return image.Map(value => value + added);
        var result = image.Alike();
        for (var i = 0; i < image.Values.Length; i += 3)
        {
            var value = Math.Max(image.Values[i], Math.Max(image.Values[i + 1], image.Values[i + 2]));
            var brighter = Math.Min(1f, value + added);
            for (var c = 0; c < 3; c++)
                result.Values[i + c] = value > 0 ? image.Values[i + c] * brighter / value : brighter;
        }

        return result;
    }

    private static float Grey(UnitImage image, int pixel)
    {
        var values = image.Values.AsSpan(pixel * image.Channels, image.Channels);
        return values.Length == 3 ? Red * values[0] + Green * values[1] + Blue * values[2] : values[0];
    }
}
