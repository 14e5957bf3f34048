namespace Microsoft.ML.Moe.Tensors;

/// <summary>
/// Which windows <see cref="Tape.Convolution"/> and <see cref="Tape.MaxPool(Tensor, ConvolutionSpec)"/> read: over images of one size, each
/// pixel or every other one the middle of a square window.
/// </summary>
public sealed class ConvolutionSpec
{
    /// <summary>Creates a convolution.</summary>
    /// <param name="height">Rows of pixels of an image, at least 1.</param>
    /// <param name="width">Pixels in a row, at least 1.</param>
    /// <param name="side">Side of the window in pixels, an odd number.</param>
    /// <param name="stride">Pixels from the middle of a window to that of the next, at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is below 1, or the side even.</exception>
    public ConvolutionSpec(int height, int width, int side = 3, int stride = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(stride, 1);
        if (side < 1 || side % 2 == 0)
            throw new ArgumentOutOfRangeException(nameof(side), side, "A window has a middle: its side is an odd number.");
        (Height, Width, Side, Stride) = (height, width, side, stride);
    }

    /// <summary>Rows of pixels of an image.</summary>
    public int Height { get; }

    /// <summary>Pixels in a row.</summary>
    public int Width { get; }

    /// <summary>Side of the window in pixels, k.</summary>
    public int Side { get; }

    /// <summary>Pixels from the middle of a window to that of the next.</summary>
    public int Stride { get; }

    /// <summary>Rows of pixels of a result: ⌈height/stride⌉.</summary>
    public int ResultHeight => (Height - 1) / Stride + 1;

    /// <summary>Pixels in a row of a result: ⌈width/stride⌉.</summary>
    public int ResultWidth => (Width - 1) / Stride + 1;
}
