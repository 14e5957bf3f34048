namespace Microsoft.ML.Moe.Experiments.Data;

/// <summary>
/// Images whose objects are known: a shape of one texture on a ground of another, both stripes or spots of like colours, so that no pixel
/// alone tells one from the other. Made of the image's number.
/// </summary>
internal static class ShapesOnTextures
{
    public const int Side = 32;

    /// <summary>Disk, square, triangle, ring, cross, and the digits 1, 4 and 7 of strokes.</summary>
    public const int Shapes = 8;

    private const int Least = 8;

    /// <summary>Makes an image.</summary>
    /// <param name="number">Its number.</param>
    /// <returns>Red, green and blue of each pixel, which pixels show the shape, and its number.</returns>
    public static (byte[] Pixels, bool[] Mask, int Shape) Create(int number)
    {
        var random = new Random(number * 7919 + 17);
        var shape = number % Shapes;
        var size = random.Next(Least, Side / 2 - 2);
        var (middleX, middleY) = (random.Next(size, Side - size), random.Next(size, Side - size));
        var (ground, figure) = (Texture(random), Texture(random));
        var pixels = new byte[Side * Side * 3];
        var mask = new bool[Side * Side];
        for (var i = 0; i < mask.Length; i++)
        {
            var (x, y) = (i % Side, i / Side);
            mask[i] = IsInside(shape, (float)(x - middleX) / size, (float)(y - middleY) / size);
            var grey = (mask[i] ? figure : ground)(x, y);
            for (var c = 0; c < 3; c++)
                pixels[3 * i + c] = (byte)Math.Clamp(grey + 20 * random.NextDouble() - 10, 0, 255);
        }

        return (pixels, mask, shape);
    }

    /// <summary>Stripes of some direction and width, or spots, between two greys.</summary>
    private static Func<int, int, double> Texture(Random random)
    {
        var (angle, period, isSpots) = (random.NextDouble() * Math.PI, 2.5 + 3 * random.NextDouble(), random.Next(3) == 0);
        var (dark, light) = (60 + 30 * random.NextDouble(), 160 + 40 * random.NextDouble());
        var (sin, cos) = Math.SinCos(angle);
        return (x, y) =>
        {
            var along = Math.Sin(2 * Math.PI * (x * cos + y * sin) / period);
            var across = isSpots ? Math.Sin(2 * Math.PI * (y * cos - x * sin) / period) : 1;
            return dark + (light - dark) * (along * across + 1) / 2;
        };
    }

    /// <summary>Whether a place, of which the shape reaches to 1 on each side, is within it.</summary>
    private static bool IsInside(int shape, float x, float y) => shape switch
    {
        0 => x * x + y * y < 0.9f,
        1 => Math.Abs(x) < 0.8f && Math.Abs(y) < 0.8f,
        2 => y < 0.8f && y > 2 * Math.Abs(x) - 0.9f,
        3 => x * x + y * y is > 0.3f and < 1f,
        4 => (Math.Abs(x) < 0.3f && Math.Abs(y) < 0.95f) || (Math.Abs(y) < 0.3f && Math.Abs(x) < 0.95f),
        5 => Math.Abs(x) < 0.25f && Math.Abs(y) < 0.95f,
        6 => (Math.Abs(x - 0.35f) < 0.22f && Math.Abs(y) < 0.95f) || (Math.Abs(y) < 0.22f && Math.Abs(x) < 0.8f)
            || (Math.Abs(x + 0.55f) < 0.22f && y is > -0.95f and < 0.2f),
        _ => (Math.Abs(y + 0.7f) < 0.24f && Math.Abs(x) < 0.8f) || (Math.Abs(x - 0.5f + (y + 0.7f) / 2) < 0.26f && y is > -0.9f and < 0.95f),
    };
}
