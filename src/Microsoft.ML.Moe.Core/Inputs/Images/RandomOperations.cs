namespace Microsoft.ML.Moe.Inputs;

/// <summary>
/// The operations of RandAugment (Cubuk et al. 2020, "RandAugment: Practical automated data augmentation with a reduced search space")
/// that make sense of values of any scale: eleven of its fourteen, without AutoContrast, Equalize and Posterize, which need bytes. Images
/// have channels of mean 0 and deviation 1; what an operation brings in from beyond the edge is the edge.
/// </summary>
/// <param name="input">The images.</param>
internal sealed class RandomOperations(ImageInput input)
{
    /// <summary>Number of operations.</summary>
    public const int Count = 11;

    private const float MostDegrees = 30f;
    private const float MostShear = 0.3f;
    private const float MostShift = 0.33f;
    private const float MostColour = 0.9f;

    private readonly float[] _original = new float[input.Length];

    /// <summary>Changes an image by an operation that is drawn.</summary>
    /// <param name="pixels">The image.</param>
    /// <param name="random">Random numbers: three for each call.</param>
    /// <param name="magnitude">How strong it is, within [0, 1].</param>
    public void Apply(Span<float> pixels, Random random, float magnitude) =>
        Apply(pixels, random.Next(Count), (random.Next(2) == 0 ? -1 : 1) * magnitude);

    /// <summary>Changes an image by an operation.</summary>
    /// <param name="pixels">The image.</param>
    /// <param name="operation">Its number, within [0, <see cref="Count"/>); 0 changes nothing.</param>
    /// <param name="strength">How strong it is, and in which direction, within [−1, 1].</param>
    public void Apply(Span<float> pixels, int operation, float strength)
    {
        switch (operation)
        {
            case 1:
                var (sin, cos) = MathF.SinCos(strength * MostDegrees * MathF.PI / 180);
                Warp(pixels, (cos, -sin, 0), (sin, cos, 0));
                break;
            case 2:
                Warp(pixels, (1, strength * MostShear, 0), (0, 1, 0));
                break;
            case 3:
                Warp(pixels, (1, 0, 0), (strength * MostShear, 1, 0));
                break;
            case 4:
                Warp(pixels, (1, 0, strength * MostShift * input.Width), (0, 1, 0));
                break;
            case 5:
                Warp(pixels, (1, 0, 0), (0, 1, strength * MostShift * input.Height));
                break;
            case 6:
                Brighten(pixels, strength * MostColour);
                break;
            case 7:
                Contrast(pixels, 1 + strength * MostColour);
                break;
            case 8 when input.Channels == 3:
                Saturate(pixels, 1 + strength * MostColour);
                break;
            case 9:
                Sharpen(pixels, strength * MostColour);
                break;
            case 10:
                Solarize(pixels, Math.Abs(strength));
                break;
        }
    }

    /// <summary>Adds to all values.</summary>
    public static void Brighten(Span<float> pixels, float by)
    {
        foreach (ref var value in pixels)
            value += by;
    }

    /// <summary>Multiplies the distances from the mean of all values.</summary>
    public static void Contrast(Span<float> pixels, float factor)
    {
        var sum = 0.0;
        foreach (var value in pixels)
            sum += value;
        var mean = (float)(sum / pixels.Length);
        foreach (ref var value in pixels)
            value = mean + factor * (value - mean);
    }

    /// <summary>Multiplies the distances of a pixel's three colours from their mean.</summary>
    public static void Saturate(Span<float> pixels, float factor)
    {
        for (var i = 0; i < pixels.Length; i += 3)
        {
            var mean = (pixels[i] + pixels[i + 1] + pixels[i + 2]) / 3;
            for (var c = 0; c < 3; c++)
                pixels[i + c] = mean + factor * (pixels[i + c] - mean);
        }
    }

    /// <summary>
    /// Adds to each pixel a share of its distance from the mean of the nine around it; takes it away where the share is negative.
    /// </summary>
    private void Sharpen(Span<float> pixels, float share)
    {
        pixels.CopyTo(_original);
        for (var i = 0; i < pixels.Length; i++)
        {
            var (pixel, c) = Math.DivRem(i, input.Channels);
            var (x, y) = (pixel % input.Width, pixel / input.Width);
            var sum = 0f;
            for (var place = 0; place < 9; place++)
                sum += At(x + place % 3 - 1, y + place / 3 - 1, c);
            pixels[i] += share * (_original[i] - sum / 9);
        }
    }

    /// <summary>Turns round the brightest values: those beyond a share of the range.</summary>
    private static void Solarize(Span<float> pixels, float share)
    {
        var (least, most) = (float.PositiveInfinity, float.NegativeInfinity);
        foreach (var value in pixels)
            (least, most) = (Math.Min(least, value), Math.Max(most, value));
        var threshold = most - share * (most - least);
        foreach (ref var value in pixels)
            value = value > threshold ? least + most - value : value;
    }

    /// <summary>Takes each pixel from another place: a linear map of its distance from the middle, and a shift.</summary>
    private void Warp(Span<float> pixels, (float X, float Y, float Shift) toX, (float X, float Y, float Shift) toY)
    {
        pixels.CopyTo(_original);
        var (middleX, middleY) = ((input.Width - 1) / 2f, (input.Height - 1) / 2f);
        for (var i = 0; i < pixels.Length; i++)
        {
            var (pixel, c) = Math.DivRem(i, input.Channels);
            var (dx, dy) = (pixel % input.Width - middleX, pixel / input.Width - middleY);
            var x = Math.Clamp(middleX + dx * toX.X + dy * toX.Y + toX.Shift, 0, input.Width - 1);
            var y = Math.Clamp(middleY + dx * toY.X + dy * toY.Y + toY.Shift, 0, input.Height - 1);
            var (left, top) = ((int)x, (int)y);
            var (fx, fy) = (x - left, y - top);
            pixels[i] = (At(left, top, c) * (1 - fx) + At(left + 1, top, c) * fx) * (1 - fy)
                + (At(left, top + 1, c) * (1 - fx) + At(left + 1, top + 1, c) * fx) * fy;
        }
    }

    private float At(int x, int y, int channel) =>
        _original[(Math.Clamp(y, 0, input.Height - 1) * input.Width + Math.Clamp(x, 0, input.Width - 1)) * input.Channels + channel];
}
