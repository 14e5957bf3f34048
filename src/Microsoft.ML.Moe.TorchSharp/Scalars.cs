using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>Numbers as arguments of TorchSharp's operations, and operations that make some of their own.</summary>
internal static class Scalars
{
    private static readonly Scalar Zero = 0L;
    private static readonly Scalar One = 1L;

    // two, since an operation may take as many
    [ThreadStatic]
    private static (Scalar? Before, Scalar? Latest) _held;

    /// <summary>
    /// A number for the operation that is called next on this thread. TorchSharp hands a scalar's native handle to libtorch and then holds
    /// on to the object no longer, so that its finalizer may free what libtorch is still reading; here it is held until the one after the next.
    /// </summary>
    public static Scalar Of(float value) => Hold(value);

    /// <inheritdoc cref="Of(float)"/>
    public static Scalar Of(double value) => Hold(value);

    /// <inheritdoc cref="Of(float)"/>
    public static Scalar Of(long value) => Hold(value);

    /// <summary>x + y. TorchSharp's own sum multiplies y by a scalar that it makes and does not hold.</summary>
    public static torch.Tensor Plus(this torch.Tensor x, torch.Tensor y) => x.add(y, One);

    /// <summary>Every element plus a number; see the other.</summary>
    public static torch.Tensor Plus(this torch.Tensor x, double number) => x.add(Of(number), One);

    /// <inheritdoc cref="Plus(torch.Tensor, double)"/>
    public static torch.Tensor Plus(this torch.Tensor x, long number) => x.add(Of(number), One);

    /// <summary>Adds to x itself.</summary>
    public static torch.Tensor PlusInPlace(this torch.Tensor x, torch.Tensor y) => x.add_(y, One);

    /// <inheritdoc cref="PlusInPlace(torch.Tensor, torch.Tensor)"/>
    public static torch.Tensor PlusInPlace(this torch.Tensor x, double number) => x.add_(Of(number), One);

    /// <summary>x². TorchSharp's own raises to a power that it makes and does not hold.</summary>
    public static torch.Tensor Squared(this torch.Tensor x) => x.mul(x);

    /// <summary>0, 1, … up to before a number, as 64-bit whole numbers. TorchSharp's own makes start and step and does not hold them.</summary>
    public static torch.Tensor Range(long count, torch.Device device) => torch.arange(Zero, Of(count), One, torch.ScalarType.Int64, device);

    private static Scalar Hold(Scalar value)
    {
        _held = (_held.Latest, value);
        return value;
    }
}
