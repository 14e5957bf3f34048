using System.Runtime.InteropServices;

namespace Microsoft.ML.Moe.Tensors.Torch;

/// <summary>Asks the CUDA driver what TorchSharp does not tell.</summary>
internal static class CudaDriver
{
    // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
    private const int MajorVersionAttribute = 75;
    private const int Ampere = 8;

    private delegate int Initialize(uint flags);

    private delegate int GetDevice(out int device, int number);

    private delegate int GetAttribute(out int value, int attribute, int device);

    /// <summary>
    /// Whether the driver's library loads. Where it does not, no native library of TorchSharp finds a GPU, and none has to be loaded to ask.
    /// </summary>
    public static bool IsThere => TryLoad(out _);

    /// <summary>Whether a GPU has units for products in bfloat16; false where the driver cannot be asked.</summary>
    /// <param name="gpu">Its number among those that the process sees.</param>
    public static bool HasBFloat16(int gpu) => Generation(gpu) >= Ampere;

    /// <summary>
    /// The major number of a GPU's compute capability, 8 for Ampere, 9 for Hopper, 10 for Blackwell; null where the driver cannot be asked.
    /// </summary>
    /// <param name="gpu">Its number among those that the process sees.</param>
    public static int? Generation(int gpu) =>
        TryLoad(out var driver)
        && Function<Initialize>(driver, "cuInit") is { } initialize
        && Function<GetDevice>(driver, "cuDeviceGet") is { } getDevice
        && Function<GetAttribute>(driver, "cuDeviceGetAttribute") is { } getAttribute
        && initialize(0) == 0
        && getDevice(out var device, gpu) == 0
        && getAttribute(out var major, MajorVersionAttribute, device) == 0
            ? major
            : null;

    private static bool TryLoad(out nint driver) => NativeLibrary.TryLoad(OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1", out driver);

    private static T? Function<T>(nint library, string name)
        where T : Delegate =>
        NativeLibrary.TryGetExport(library, name, out var address) ? Marshal.GetDelegateForFunctionPointer<T>(address) : null;
}
