namespace Microsoft.ML.Moe.Inputs;

/// <summary>
/// Changes images at random while training, in ways that do not change what they show: moved, zoomed and turned a little, mirrored where
/// asked for, and a rectangle blanked (Zhong et al. 2020, "Random erasing data augmentation"); where it is asked for also cropped, and in
/// other colours.
/// </summary>
/// <param name="input">The images.</param>
/// <param name="options">How much.</param>
internal sealed class ImageAugmentation(ImageInput input, AugmentationConfig options)
{
    /// <summary>Least and largest share of the image's area that is blanked.</summary>
    private const float LeastErased = 0.02f;
    private const float MostErased = 0.2f;

    /// <summary>How far the sides of a crop are from those of the image in proportion: by a factor of 3/4 to 4/3.</summary>
    private const float CropAspect = 0.2876821f;

    private readonly float[] _original = new float[input.Length];
    private readonly RandomOperations _operations = new(input);

    /// <summary>Changes an image.</summary>
    /// <param name="pixels">The image, each channel with mean 0.</param>
    /// <param name="random">Random numbers.</param>
    public void Apply(Span<float> pixels, Random random)
    {
        Move(pixels, random);
        if (options.ColourJitter > 0)
            Recolour(pixels, random);
        for (var i = 0; i < options.RandomOperations; i++)
            _operations.Apply(pixels, random, options.RandomMagnitude);
        if (random.NextSingle() < options.EraseRate)
            Erase(pixels, random);
    }

    private void Move(Span<float> pixels, Random random)
    {
        var (shiftX, shiftY) = (Within(random, options.MaxShift) * input.Width, Within(random, options.MaxShift) * input.Height);
        var scale = MathF.Exp(Within(random, options.MaxZoom));
        var angle = Within(random, options.MaxRotation) * MathF.PI / 180;
        var mirror = options.HorizontalFlip && random.Next(2) == 1 ? -1 : 1;
        var turns = options.Transposition && random.Next(2) == 1;
        var (across, down) = (1f, 1f);
        if (options.LeastCrop < 1)
            (across, down, shiftX, shiftY) = Crop(random, shiftX, shiftY);
        if (!turns && (shiftX, shiftY, scale, angle, mirror, across, down) == (0, 0, 1, 0, 1, 1, 1))
            return;
        pixels.CopyTo(_original);
        var (cos, sin) = (MathF.Cos(angle) / scale, MathF.Sin(angle) / scale);
        var (middleX, middleY) = ((input.Width - 1) / 2f, (input.Height - 1) / 2f);
        for (var y = 0; y < input.Height; y++)
            for (var x = 0; x < input.Width; x++)
            {
                var (dx, dy) = ((x - middleX) * mirror * across, (y - middleY) * down);
                if (turns)
                    (dx, dy) = (dy * input.Width / input.Height, dx * input.Height / input.Width);
                Sample(
                    middleX + dx * cos - dy * sin + shiftX,
                    middleY + dx * sin + dy * cos + shiftY,
                    pixels.Slice((y * input.Width + x) * input.Channels, input.Channels));
            }
    }

    /// <summary>What a crop shows of width and height, and how far its middle is from the image's.</summary>
    private (float Across, float Down, float ShiftX, float ShiftY) Crop(Random random, float shiftX, float shiftY)
    {
        var area = options.LeastCrop + (1 - options.LeastCrop) * random.NextSingle();
        var aspect = MathF.Exp(Within(random, CropAspect));
        var (across, down) = (Math.Min(1f, MathF.Sqrt(area * aspect)), Math.Min(1f, MathF.Sqrt(area / aspect)));
        return (
            across,
            down,
            shiftX + Within(random, (1 - across) / 2) * input.Width,
            shiftY + Within(random, (1 - down) / 2) * input.Height);
    }

    private void Recolour(Span<float> pixels, Random random)
    {
        RandomOperations.Brighten(pixels, Within(random, options.ColourJitter));
        RandomOperations.Contrast(pixels, 1 + Within(random, options.ColourJitter));
        var factor = 1 + Within(random, options.ColourJitter);
        if (input.Channels == 3)
            RandomOperations.Saturate(pixels, factor);
    }

    /// <summary>A place of the original between its pixels; beyond the edge, the edge.</summary>
    private void Sample(float x, float y, Span<float> pixel)
    {
        x = Math.Clamp(x, 0, input.Width - 1);
        y = Math.Clamp(y, 0, input.Height - 1);
        var (left, top) = ((int)x, (int)y);
        var (right, bottom) = (Math.Min(left + 1, input.Width - 1), Math.Min(top + 1, input.Height - 1));
        var (fx, fy) = (x - left, y - top);
        for (var c = 0; c < pixel.Length; c++)
        {
            var above = At(left, top, c) * (1 - fx) + At(right, top, c) * fx;
            var below = At(left, bottom, c) * (1 - fx) + At(right, bottom, c) * fx;
            pixel[c] = above * (1 - fy) + below * fy;
        }
    }

    private float At(int x, int y, int channel) => _original[(y * input.Width + x) * input.Channels + channel];

    private void Erase(Span<float> pixels, Random random)
    {
        var area = (LeastErased + (MostErased - LeastErased) * random.NextSingle()) * input.Width * input.Height;
        var aspect = MathF.Exp(Within(random, 1));
        var width = Math.Clamp((int)MathF.Round(MathF.Sqrt(area * aspect)), 1, input.Width);
        var height = Math.Clamp((int)MathF.Round(MathF.Sqrt(area / aspect)), 1, input.Height);
        var (left, top) = (random.Next(input.Width - width + 1), random.Next(input.Height - height + 1));
        for (var y = top; y < top + height; y++)
            pixels.Slice((y * input.Width + left) * input.Channels, width * input.Channels).Clear();
    }

    private static float Within(Random random, float limit) => (2 * random.NextSingle() - 1) * limit;
}
