using Microsoft.ML.Moe.Layers;
using Microsoft.ML.Moe.Tensors;

namespace Microsoft.ML.Moe.Inputs;

/// <summary>Spoils images as <see cref="ImageCorruption"/> says. Safe to use from several threads.</summary>
/// <param name="settings">What is done to images.</param>
internal sealed class ImageCorrupter(ImageCorruption settings)
{
    /// <summary>Largest width and height.</summary>
    public const int MaximumSide = 4096;

    /// <summary>Longest shorter side of an image that has the strengths for small ones.</summary>
    private const int LongestSmall = 96;

    private const float SideOfSmall = 32f;
    private const float SideOfLarge = 224f;

    /// <summary>Spoils an image.</summary>
    /// <param name="pixels">width × height × channels values, all channels of a pixel together.</param>
    /// <param name="width">Pixels in a row.</param>
    /// <param name="height">Rows of pixels.</param>
    /// <param name="channels">Values of a pixel.</param>
    /// <param name="row">Number of its row, which with the seed decides all that is random.</param>
    /// <exception cref="ArgumentException">It is larger than <see cref="MaximumSide"/>, or has another number of values.</exception>
    public byte[] Corrupt(ReadOnlySpan<byte> pixels, int width, int height, int channels, long row)
    {
        if (width is < 1 or > MaximumSide || height is < 1 or > MaximumSide)
            throw new ArgumentException($"it has {width} × {height} pixels; {MaximumSide} on a side can be corrupted");
        if (pixels.Length != (long)width * height * channels)
            throw new ArgumentException($"it has {pixels.Length} numbers, not those of {width} × {height} × {channels}");
        var image = UnitImage.Of(pixels, width, height, channels);
        var side = Math.Min(width, height);
        var isSmall = side <= LongestSmall;
        var noise = new CorruptionNoise(settings.Seed, row, (int)settings.Kind);
        // a blur of less than a pixel would be none
        var scale = isSmall ? Math.Max(1, side / SideOfSmall) : side / SideOfLarge;
        var strength = new CorruptionStrength(settings.Severity - 1, isSmall, scale);
        return Spoil(image, strength, noise).ToBytes();
    }

    private UnitImage Spoil(UnitImage image, CorruptionStrength strength, CorruptionNoise noise) => settings.Kind switch
    {
        ImageCorruptionKind.GaussianNoise => NoiseCorruptions.Gaussian(image, strength, noise),
        ImageCorruptionKind.ShotNoise => NoiseCorruptions.Shot(image, strength, noise),
        ImageCorruptionKind.ImpulseNoise => NoiseCorruptions.Impulse(image, strength, noise),
        ImageCorruptionKind.DefocusBlur => BlurCorruptions.Defocus(image, strength),
        ImageCorruptionKind.GlassBlur => BlurCorruptions.Glass(image, strength, noise),
        ImageCorruptionKind.MotionBlur => BlurCorruptions.Motion(image, strength, noise),
        ImageCorruptionKind.ZoomBlur => BlurCorruptions.Zoom(image, strength),
        ImageCorruptionKind.Snow => WeatherCorruptions.Snow(image, strength, noise),
        ImageCorruptionKind.Frost => WeatherCorruptions.Frost(image, strength, noise),
        ImageCorruptionKind.Fog => WeatherCorruptions.Fog(image, strength, noise),
        ImageCorruptionKind.Brightness => WeatherCorruptions.Brightness(image, strength),
        ImageCorruptionKind.Contrast => DigitalCorruptions.Contrast(image, strength),
        ImageCorruptionKind.ElasticTransform => DigitalCorruptions.Elastic(image, strength, noise),
        ImageCorruptionKind.Pixelate => DigitalCorruptions.Pixelate(image, strength),
        _ => JpegCorruption.Apply(image, strength),
    };
}

/// <summary>Picks the strengths of a severity.</summary>
/// <param name="Level">Severity, from 0.</param>
/// <param name="IsSmall">Whether an image has the strengths for small ones.</param>
/// <param name="Scale">What lengths are multiplied by.</param>
internal readonly record struct CorruptionStrength(int Level, bool IsSmall, float Scale)
{
    /// <summary>The strength.</summary>
    /// <param name="small">Those of CIFAR-10-C.</param>
    /// <param name="large">Those of ImageNet-C.</param>
    public T Of<T>(IReadOnlyList<T> small, IReadOnlyList<T> large) => IsSmall ? small[Level] : large[Level];
}

/// <summary>Random numbers of an image.</summary>
/// <param name="seed">Seed of all images.</param>
/// <param name="row">Number of the image.</param>
/// <param name="stream">Makes them others than another kind's.</param>
internal sealed class CorruptionNoise(int seed, long row, int stream)
{
    private const int FirstStream = 16;

    private readonly StableRandom _random = new(seed, row, FirstStream + stream);
    private readonly ulong _key = StableHash.Combine(StableHash.Combine((uint)seed, (ulong)row), (ulong)(FirstStream + stream));
    private int _field;

    /// <summary>The next number within [0, 1).</summary>
    public double Next() => _random.Next();

    /// <summary>The next number within a range.</summary>
    public float Within(float least, float most) => least + (most - least) * (float)_random.Next();

    /// <summary>Normally distributed numbers with deviation 1.</summary>
    public float[] Normal(int count)
    {
        var values = new float[count];
        NormalNumbers.Fill(_key, _field++, 1f, values);
        return values;
    }

    /// <summary>
    /// A field of clouds within [0, 1], by the diamond-square method (Fournier, Fussell and Carpenter 1982): each halving of the distance
    /// between places makes what is random smaller by a factor.
    /// </summary>
    /// <param name="width">Pixels in a row.</param>
    /// <param name="height">Rows of pixels.</param>
    /// <param name="decay">The factor, over 1: the larger, the smoother.</param>
    public float[] Clouds(int width, int height, float decay)
    {
        var size = 2;
        while (size < Math.Max(width, height))
            size *= 2;
        var field = new float[size * size];
        var amplitude = 1f;
        for (var step = size; step >= 2; step /= 2, amplitude /= decay)
        {
            var half = step / 2;
            for (var y = 0; y < size; y += step)
                for (var x = 0; x < size; x += step)
                    field[At(x + half, y + half)] = Mean(x, y, x + step, y, x, y + step, x + step, y + step);
            for (var y = 0; y < size; y += step)
                for (var x = 0; x < size; x += step)
                {
                    field[At(x + half, y)] = Mean(x, y, x + step, y, x + half, y + half, x + half, y - half);
                    field[At(x, y + half)] = Mean(x, y, x, y + step, x + half, y + half, x - half, y + half);
                }
        }

        var (least, most) = (field.Min(), field.Max());
        var result = new float[width * height];
        for (var i = 0; i < result.Length; i++)
            result[i] = (field[i / width * size + i % width] - least) / Math.Max(1e-6f, most - least);
        return result;

        int At(int x, int y) => (y & (size - 1)) * size + (x & (size - 1));

        float Mean(int x1, int y1, int x2, int y2, int x3, int y3, int x4, int y4) =>
            (field[At(x1, y1)] + field[At(x2, y2)] + field[At(x3, y3)] + field[At(x4, y4)]) / 4 + amplitude * Within(-1, 1);
    }
}
