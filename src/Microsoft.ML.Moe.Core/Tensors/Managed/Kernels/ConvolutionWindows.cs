using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Microsoft.ML.Moe.Tensors.Managed;

/// <summary>
/// The windows of a convolution as the rows of a matrix (im2col: Chellapilla et al. 2006, "High performance convolutional neural networks
/// for document processing"), made a block of rows and of columns at a time, <see cref="PackedRows.Stride"/> apart, where products read
/// them.
/// </summary>
internal readonly unsafe struct ConvolutionWindows(ConvolutionSpec spec, int channels)
{
    private readonly int _height = spec.Height;
    private readonly int _width = spec.Width;
    private readonly int _side = spec.Side;
    private readonly int _stride = spec.Stride;
    private readonly int _resultHeight = spec.ResultHeight;
    private readonly int _resultWidth = spec.ResultWidth;

    /// <summary>Values of a window, K.</summary>
    public int Values => _side * _side * channels;

    /// <summary>Windows of an image.</summary>
    public int OfImage => _resultHeight * _resultWidth;

    /// <summary>Floats of an image.</summary>
    public int ImageLength => _height * _width * channels;

    /// <summary>Copies windows out.</summary>
    /// <param name="x">The images.</param>
    /// <param name="first">First window, counted over all images.</param>
    /// <param name="count">Number of windows.</param>
    /// <param name="firstK">First value of each window.</param>
    /// <param name="depth">Number of values.</param>
    /// <param name="rows">Receives the rows.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Copy(float* x, int first, int count, int firstK, int depth, float* rows)
    {
        var runLength = _side * channels;
        for (var i = 0; i < count; i++, rows += PackedRows.Stride)
        {
            var (image, left, top) = Place(first + i);
            for (var k = firstK; k < firstK + depth;)
            {
                var (run, start) = Math.DivRem(k, runLength);
                var end = Math.Min(runLength, start + firstK + depth - k);
                var row = rows + k - firstK - start;
                var (from, to) = Inside(left, top + run, start, end);
                Clear(row + start, from - start);
                Move(x + (long)image * ImageLength + ((top + run) * _width + left) * channels + from, row + from, to - from);
                Clear(row + to, end - to);
                k += end - start;
            }
        }
    }

    /// <summary>Adds to an image what there is in its windows (col2im).</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="first">First window, counted over all images.</param>
    /// <param name="count">Number of windows, all of one image.</param>
    /// <param name="firstK">First value of each window.</param>
    /// <param name="depth">Number of values.</param>
    /// <param name="x">The images that are added to.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Add(float* rows, int first, int count, int firstK, int depth, float* x)
    {
        var runLength = _side * channels;
        for (var i = 0; i < count; i++, rows += PackedRows.Stride)
        {
            var (image, left, top) = Place(first + i);
            for (var k = firstK; k < firstK + depth;)
            {
                var (run, start) = Math.DivRem(k, runLength);
                var end = Math.Min(runLength, start + firstK + depth - k);
                var (from, to) = Inside(left, top + run, start, end);
                Add(
                    rows + k - firstK - start + from,
                    x + (long)image * ImageLength + ((top + run) * _width + left) * channels + from,
                    to - from);
                k += end - start;
            }
        }
    }

    /// <summary>The image of a window, and where its left upper corner is, perhaps beyond the edge.</summary>
    private (int Image, int Left, int Top) Place(int window)
    {
        var (image, place) = Math.DivRem(window, OfImage);
        var (y, x) = Math.DivRem(place, _resultWidth);
        return (image, x * _stride - _side / 2, y * _stride - _side / 2);
    }

    /// <summary>
    /// Which values of a window's row, of those from <paramref name="start"/> to <paramref name="end"/>, lie in the image.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private (int From, int To) Inside(int left, int y, int start, int end)
    {
        if ((uint)y >= (uint)_height)
            return (end, end);
        var from = Math.Clamp(-left * channels, start, end);
        return (from, Math.Clamp((_width - left) * channels, from, end));
    }

    // A few dozen floats: a call would cost more than the copy.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Move(float* source, float* target, int count)
    {
        var i = 0;
        for (; i <= count - 16; i += 16)
            Vector512.Load(source + i).Store(target + i);
        for (; i <= count - 4; i += 4)
            Vector128.Load(source + i).Store(target + i);
        for (; i < count; i++)
            target[i] = source[i];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(float* source, float* target, int count)
    {
        var i = 0;
        for (; i <= count - 16; i += 16)
            (Vector512.Load(source + i) + Vector512.Load(target + i)).Store(target + i);
        for (; i <= count - 4; i += 4)
            (Vector128.Load(source + i) + Vector128.Load(target + i)).Store(target + i);
        for (; i < count; i++)
            target[i] += source[i];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Clear(float* target, int count)
    {
        for (var i = 0; i < count; i++)
            target[i] = 0;
    }
}
