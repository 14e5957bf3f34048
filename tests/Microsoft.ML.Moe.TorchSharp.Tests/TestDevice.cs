using System.Globalization;
using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Torch;
using TorchSharp;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>
/// Where the tests run the engine: on the processor or, with the environment variable <c>MOE_TEST_GPU</c> set to a number, on that GPU.
/// </summary>
internal static class TestDevice
{
    public static int? Gpu { get; } =
        Environment.GetEnvironmentVariable("MOE_TEST_GPU") is { Length: > 0 } gpu ? int.Parse(gpu, CultureInfo.InvariantCulture) : null;

    /// <summary>An engine whose policies choose on the device, even where that is the processor and the host would be faster.</summary>
    public static TorchEngine CreateEngine(TrainingPrecision precision = TrainingPrecision.Full)
    {
        SkipWithoutLibrary();
        return new(Gpu, precision) { ChoosesOnDevice = true };
    }

    /// <summary>Skips the test where the native library does not load.</summary>
    public static void SkipWithoutLibrary() =>
        Skip.IfNot(NativeLibraries.IsLoaded, NativeLibraries.IsLoaded ? "" : NativeLibraries.WhyNotLoaded);

    /// <summary>Tensors that live in this process, without those that only the garbage collector still knows of.</summary>
    public static long CountLiveTensors()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return torch.Tensor.TotalCount;
    }
}
