namespace Microsoft.ML.Moe.Inputs;

/// <summary>Brings each channel to mean 0 and deviation 1 over the training set, or over that of a published model.</summary>
/// <param name="Means">Mean of each channel.</param>
/// <param name="Deviations">Standard deviation of each channel, over 0.</param>
internal sealed record ChannelScale(IReadOnlyList<float> Means, IReadOnlyList<float> Deviations)
{
    /// <summary>What values are multiplied by before, in double precision. Default 1.</summary>
    public double Factor { get; init; } = 1;

    /// <summary>Measures images.</summary>
    /// <param name="images">The images.</param>
    /// <param name="input">What they are like.</param>
    public static ChannelScale Of(IEnumerable<ImagePixels> images, ImageInput input)
    {
        var pixels = new float[input.Length];
        var (sums, squares, count) = (new double[input.Channels], new double[input.Channels], 0L);
        foreach (var image in images)
        {
            image.CopyTo(pixels);
            for (var i = 0; i < pixels.Length; i++)
            {
                sums[i % input.Channels] += pixels[i];
                squares[i % input.Channels] += (double)pixels[i] * pixels[i];
            }

            count += input.Width * input.Height;
        }

        var means = sums.Select(sum => sum / count).ToArray();
        var variances = squares.Select((square, c) => square / count - means[c] * means[c]);
        // a channel without variance says nothing: any scale will do
        return new ChannelScale(
            [.. means.Select(mean => (float)mean)],
            [.. variances.Select((v, c) => v > 1e-9 * (1 + means[c] * means[c]) ? (float)Math.Sqrt(v) : 1f)]);
    }

    /// <summary>Copies an image out, scaled.</summary>
    public void CopyTo(ImagePixels image, Span<float> pixels)
    {
        image.CopyTo(pixels);
        var c = 0;
        for (var i = 0; i < image.Length; i++)
        {
            pixels[i] = ((float)(pixels[i] * Factor) - Means[c]) / Deviations[c];
            c = c + 1 == Means.Count ? 0 : c + 1;
        }
    }

    /// <summary>Makes a gradient by scaled values one by the values themselves.</summary>
    public void ToGradient(Span<float> gradient)
    {
        for (var i = 0; i < gradient.Length; i++)
            gradient[i] *= (float)(Factor / Deviations[i % Means.Count]);
    }
}
