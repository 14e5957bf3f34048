using TorchSharp;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>Numbers as arguments of TorchSharp's operations.</summary>
internal static class Scalars
{
    [ThreadStatic]
    private static Scalar? _latest;

    /// <summary>
    /// A number for the operation that is called next on this thread. TorchSharp hands a scalar's native handle to libtorch and then holds
    /// on to the object no longer, so that its finalizer may free what libtorch is still reading; here it is held until the next one.
    /// </summary>
    public static Scalar Of(float value) => Hold(value);

    /// <inheritdoc cref="Of(float)"/>
    public static Scalar Of(double value) => Hold(value);

    /// <inheritdoc cref="Of(float)"/>
    public static Scalar Of(long value) => Hold(value);

    private static Scalar Hold(Scalar value)
    {
        _latest = value;
        return _latest;
    }
}
