namespace Microsoft.ML.Moe.Inputs;

/// <summary>The images that a model reads: all of one size. Turns others into such. Safe to use from several threads.</summary>
public sealed class ImageInput
{
    /// <summary>Largest width and height.</summary>
    public const int MaximumSide = 1024;

    /// <summary>Most channels.</summary>
    public const int MaximumChannels = 16;

    /// <summary>Largest magnitude of a value: beyond, variances would no longer be finite.</summary>
    public const float MaximumValue = 1e9f;

    private readonly ImagePreprocessing? _preprocessing;

    /// <summary>Creates the input.</summary>
    /// <param name="width">Pixels in a row, within [1, <see cref="MaximumSide"/>].</param>
    /// <param name="height">Rows of pixels, within [1, <see cref="MaximumSide"/>].</param>
    /// <param name="channels">Numbers of a pixel: 1 for grey, 3 for red, green and blue. Within [1, <see cref="MaximumChannels"/>].</param>
    /// <exception cref="ArgumentOutOfRangeException">A number lies outside its range.</exception>
    public ImageInput(int width, int height, int channels)
    {
        Check(width, MaximumSide, nameof(width));
        Check(height, MaximumSide, nameof(height));
        Check(channels, MaximumChannels, nameof(channels));
        (Width, Height, Channels) = (width, height, channels);
    }

    /// <summary>The images of a published model, which come to their size as its own library brings them there.</summary>
    internal ImageInput(ImagePreprocessing preprocessing, int channels)
        : this(preprocessing.Width, preprocessing.Height, channels) => _preprocessing = preprocessing;

    /// <summary>Pixels in a row.</summary>
    public int Width { get; }

    /// <summary>Rows of pixels.</summary>
    public int Height { get; }

    /// <summary>Numbers of a pixel.</summary>
    public int Channels { get; }

    /// <summary>Numbers of an image.</summary>
    public int Length => Width * Height * Channels;

    /// <summary>An image that has the right size already.</summary>
    /// <param name="values">
    /// <see cref="Length"/> numbers of any scale within ±<see cref="MaximumValue"/>: row by row from the top, all channels of a pixel
    /// together.
    /// </param>
    /// <exception cref="ArgumentException">There are more or fewer, or one is not finite or larger.</exception>
    public ImagePixels Encode(ReadOnlySpan<float> values)
    {
        if (values.Length != Length)
            throw new ArgumentException($"it has {values.Length} numbers, not the {Length} of {Width} × {Height} × {Channels}");
        foreach (var value in values)
            if (!(MathF.Abs(value) <= MaximumValue))
                throw new ArgumentException($"{value} is no value of a pixel; they lie within ±{MaximumValue}");
        return new ImagePixels(values.ToArray());
    }

    /// <summary>As <see cref="Encode(ReadOnlySpan{float})"/>, of bytes, which are kept.</summary>
    /// <exception cref="ArgumentException">There are more or fewer.</exception>
    internal ImagePixels EncodeAsItIs(byte[] values) => values.Length == Length
        ? new ImagePixels(values)
        : throw new ArgumentException($"it has {values.Length} numbers, not the {Length} of {Width} × {Height} × {Channels}");

    /// <summary>An image of any size, resized.</summary>
    /// <param name="values">
    /// width × height × <see cref="Channels"/> numbers: row by row from the top, all channels of a pixel together.
    /// </param>
    /// <param name="width">Pixels in a row.</param>
    /// <param name="height">Rows of pixels.</param>
    /// <exception cref="ArgumentException">There are more or fewer numbers.</exception>
    public ImagePixels Encode(ReadOnlySpan<byte> values, int width, int height)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        if (values.Length != (long)width * height * Channels)
            throw new ArgumentException($"it has {values.Length} numbers, not those of {width} × {height} × {Channels}");
        if (_preprocessing is not null)
            return new ImagePixels(_preprocessing.Apply(values, width, height, Channels));
        return new ImagePixels(
            (width, height) == (Width, Height) ? values.ToArray() : ImageResizing.Resize(values, width, height, Width, Height, Channels));
    }

    private static void Check(int value, int maximum, string name)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(value, 1, name);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(value, maximum, name);
    }
}
