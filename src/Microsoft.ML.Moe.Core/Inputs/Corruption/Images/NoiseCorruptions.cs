namespace Microsoft.ML.Moe.Inputs;

/// <summary>Noise.</summary>
internal static class NoiseCorruptions
{
    /// <summary>Rates from which a Poisson count is drawn as a normally distributed number.</summary>
    private const double ManyEvents = 60;

    /// <summary>See <see cref="ImageCorruptionKind.GaussianNoise"/>; the strength is the standard deviation.</summary>
    public static UnitImage Gaussian(UnitImage image, CorruptionStrength strength, CorruptionNoise noise)
    {
        var deviation = strength.Of<float>([0.04f, 0.06f, 0.08f, 0.09f, 0.10f], [0.08f, 0.12f, 0.18f, 0.26f, 0.38f]);
        var normal = noise.Normal(image.Values.Length);
        var i = 0;
        return image.Map(value => value + deviation * normal[i++]);
    }

    /// <summary>See <see cref="ImageCorruptionKind.ShotNoise"/>; the strength is the count of white.</summary>
    public static UnitImage Shot(UnitImage image, CorruptionStrength strength, CorruptionNoise noise)
    {
        var photons = strength.Of<float>([500, 250, 100, 75, 50], [60, 25, 12, 5, 3]);
        var normal = noise.Normal(image.Values.Length);
        var i = 0;
        return image.Map(value => (float)Poisson(value * photons, normal[i++], noise) / photons);
    }

    /// <summary>See <see cref="ImageCorruptionKind.ImpulseNoise"/>; the strength is the share of values.</summary>
    public static UnitImage Impulse(UnitImage image, CorruptionStrength strength, CorruptionNoise noise)
    {
        var share = strength.Of<double>([0.01, 0.02, 0.03, 0.05, 0.07], [0.03, 0.06, 0.09, 0.17, 0.27]);
        return image.Map(value => noise.Next() < share ? (noise.Next() < 0.5 ? 0f : 1f) : value);
    }

    /// <summary>A Poisson count, by multiplication (Knuth 1997, section 3.4.1), or, where it is large, by a normal distribution.</summary>
    private static double Poisson(double rate, float normal, CorruptionNoise noise)
    {
        if (rate > ManyEvents)
            return Math.Max(0, Math.Round(rate + Math.Sqrt(rate) * normal));
        var (limit, count, product) = (Math.Exp(-rate), 0, noise.Next());
        while (product > limit)
        {
            product *= noise.Next();
            count++;
        }

        return count;
    }
}
