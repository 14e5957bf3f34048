namespace Microsoft.ML.Moe.Inputs;

/// <summary>An image as numbers within [0, 1]: row by row from the top, all channels of a pixel together.</summary>
/// <param name="width">Pixels in a row.</param>
/// <param name="height">Rows of pixels.</param>
/// <param name="channels">Numbers of a pixel.</param>
internal sealed class UnitImage(int width, int height, int channels)
{
    /// <summary>Pixels in a row.</summary>
    public int Width => width;

    /// <summary>Rows of pixels.</summary>
    public int Height => height;

    /// <summary>Numbers of a pixel.</summary>
    public int Channels => channels;

    /// <summary>The numbers.</summary>
    public float[] Values { get; } = new float[checked(width * height * channels)];

    /// <summary>A number; beyond the edge, what is as far within it.</summary>
    public float this[int x, int y, int channel] => Values[(Mirrored(y, height) * width + Mirrored(x, width)) * channels + channel];

    /// <summary>An image of bytes.</summary>
    public static UnitImage Of(ReadOnlySpan<byte> bytes, int width, int height, int channels)
    {
        var image = new UnitImage(width, height, channels);
        for (var i = 0; i < bytes.Length; i++)
            image.Values[i] = bytes[i] / 255f;
        return image;
    }

    /// <summary>The image as bytes; what lies beyond [0, 1] is cut off.</summary>
    public byte[] ToBytes() => Array.ConvertAll(Values, value => (byte)(Math.Clamp(value, 0f, 1f) * 255f + 0.5f));

    /// <summary>Another image of the same size.</summary>
    public UnitImage Alike() => new(width, height, channels);

    /// <summary>A copy with each number changed.</summary>
    public UnitImage Map(Func<float, float> change)
    {
        var image = Alike();
        for (var i = 0; i < Values.Length; i++)
            image.Values[i] = change(Values[i]);
        return image;
    }

    /// <summary>A copy of which each pixel comes from a place of this one, between its pixels.</summary>
    /// <param name="placeOf">The place of a pixel of the copy.</param>
    public UnitImage Warp(Func<int, int, (float X, float Y)> placeOf)
    {
        var image = Alike();
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++)
            {
                var (fromX, fromY) = placeOf(x, y);
                var (left, top) = ((int)MathF.Floor(fromX), (int)MathF.Floor(fromY));
                var (fx, fy) = (fromX - left, fromY - top);
                for (var c = 0; c < channels; c++)
                {
                    var above = this[left, top, c] * (1 - fx) + this[left + 1, top, c] * fx;
                    var below = this[left, top + 1, c] * (1 - fx) + this[left + 1, top + 1, c] * fx;
                    image.Values[(y * width + x) * channels + c] = above * (1 - fy) + below * fy;
                }
            }

        return image;
    }

    /// <summary>The mean over places around each pixel.</summary>
    /// <param name="kernel">The places, and their weights, which sum to 1.</param>
    public UnitImage Filter(IReadOnlyList<(int X, int Y, float Weight)> kernel)
    {
        var image = Alike();
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++)
                for (var c = 0; c < channels; c++)
                {
                    var sum = 0f;
                    foreach (var (dx, dy, weight) in kernel)
                        sum += weight * this[x + dx, y + dy, c];
                    image.Values[(y * width + x) * channels + c] = sum;
                }

        return image;
    }

    /// <summary>The mean by a normal distribution around each pixel.</summary>
    /// <param name="deviation">Its standard deviation, in pixels; almost 0 changes nothing.</param>
    public UnitImage Blur(float deviation)
    {
        if (deviation < 0.05f)
            return this;
        var reach = Math.Min((int)MathF.Ceiling(4 * deviation), 2 * Math.Max(width, height));
        var weights = new float[2 * reach + 1];
        for (var i = -reach; i <= reach; i++)
            weights[i + reach] = MathF.Exp(-i * i / (2 * deviation * deviation));
        var sum = weights.Sum();
        return Filter([.. weights.Select((w, i) => (i - reach, 0, w / sum))]).Filter([.. weights.Select((w, i) => (0, i - reach, w / sum))]);
    }

    private static int Mirrored(int place, int size)
    {
        if ((uint)place < (uint)size)
            return place;
        var period = 2 * size;
        var at = ((place % period) + period) % period;
        return at < size ? at : period - 1 - at;
    }
}
