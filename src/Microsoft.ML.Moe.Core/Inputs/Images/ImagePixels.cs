namespace Microsoft.ML.Moe.Inputs;

/// <summary>
/// An image as a model reads it: row by row from the top, and in each row pixel by pixel from the left, all channels of a pixel together.
/// </summary>
public sealed class ImagePixels
{
    private readonly byte[]? _bytes;
    private readonly float[]? _values;

    internal ImagePixels(byte[] bytes) => _bytes = bytes;

    internal ImagePixels(float[] values) => _values = values;

    /// <summary>Number of values: width × height × channels.</summary>
    public int Length => _bytes?.Length ?? _values!.Length;

    /// <summary>Whether the values are bytes.</summary>
    internal bool IsOfBytes => _bytes is not null;

    /// <summary>The values as they are held, for telling one image from another.</summary>
    internal ReadOnlySpan<byte> Raw => _bytes ?? System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(_values);

    /// <summary>Copies the values out.</summary>
    /// <param name="destination">At least <see cref="Length"/> elements.</param>
    public void CopyTo(Span<float> destination)
    {
        if (_bytes is null)
        {
            _values.CopyTo(destination);
            return;
        }

        for (var i = 0; i < _bytes.Length; i++)
            destination[i] = _bytes[i];
    }
}
