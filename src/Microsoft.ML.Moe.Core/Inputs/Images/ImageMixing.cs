namespace Microsoft.ML.Moe.Inputs;

/// <summary>How the images of a batch were mixed: image i has a share of its own label, and the rest of that of another.</summary>
/// <param name="Partners">For each image the number of the other.</param>
/// <param name="OwnShare">Share of each image's own label, within [0, 1].</param>
internal sealed record BatchMixture(int[] Partners, float OwnShare);

/// <summary>
/// Mixes the images of a batch in pairs: all of an image with all of another (Zhang et al. 2018, "mixup"), or a rectangle of it with the
/// other's (Yun et al. 2019, "CutMix").
/// </summary>
/// <param name="input">The images.</param>
/// <param name="options">How much.</param>
internal sealed class ImageMixing(ImageInput input, AugmentationConfig options)
{
    /// <summary>Mixes images.</summary>
    /// <param name="images">B images one after the other; become the mixed ones.</param>
    /// <param name="count">B.</param>
    /// <param name="random">Random numbers.</param>
    public BatchMixture Mix(Span<float> images, int count, Random random)
    {
        var partners = Enumerable.Range(0, count).ToArray();
        random.Shuffle(partners);
        var cuts = options.CutMixAlpha > 0 && (options.MixupAlpha <= 0 || random.Next(2) == 0);
        var own = Beta(random, cuts ? options.CutMixAlpha : options.MixupAlpha);
        var original = images[..(count * input.Length)].ToArray();
        return new BatchMixture(partners, cuts ? Cut(images, original, partners, own, random) : Blend(images, original, partners, own));
    }

    private float Blend(Span<float> images, float[] original, int[] partners, float own)
    {
        for (var i = 0; i < original.Length; i++)
        {
            var other = original[partners[i / input.Length] * input.Length + i % input.Length];
            images[i] = own * original[i] + (1 - own) * other;
        }

        return own;
    }

    /// <summary>The same rectangle of all images.</summary>
    private float Cut(Span<float> images, float[] original, int[] partners, float own, Random random)
    {
        var side = MathF.Sqrt(1 - own);
        var (width, height) = ((int)MathF.Round(side * input.Width), (int)MathF.Round(side * input.Height));
        var (left, top) = (random.Next(input.Width - width + 1), random.Next(input.Height - height + 1));
        for (var image = 0; image < partners.Length; image++)
            for (var y = top; y < top + height; y++)
            {
                var at = (y * input.Width + left) * input.Channels;
                original.AsSpan(partners[image] * input.Length + at, width * input.Channels).CopyTo(images[(image * input.Length + at)..]);
            }

        return 1 - (float)(width * height) / (input.Width * input.Height);
    }

    /// <summary>A number from Beta(α, α): the share of one of two numbers from Gamma(α).</summary>
    private static float Beta(Random random, float alpha)
    {
        var (one, other) = (Gamma(random, alpha), Gamma(random, alpha));
        return one + other > 0 ? (float)(one / (one + other)) : random.Next(2);
    }

    /// <summary>Marsaglia and Tsang 2000, "A simple method for generating gamma variables"; below 1 by way of α + 1.</summary>
    private static double Gamma(Random random, double alpha)
    {
        if (alpha < 1)
            return Gamma(random, alpha + 1) * Math.Pow(1 - random.NextDouble(), 1 / alpha);
        var d = alpha - 1.0 / 3;
        while (true)
        {
            var normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            var v = Math.Pow(1 + normal / Math.Sqrt(9 * d), 3);
            if (v > 0 && Math.Log(1 - random.NextDouble()) < normal * normal / 2 + d - d * v + d * Math.Log(v))
                return d * v;
        }
    }
}
