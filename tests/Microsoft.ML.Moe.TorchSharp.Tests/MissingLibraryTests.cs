using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Torch;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>The engine where no native library of TorchSharp is to be found.</summary>
public sealed class MissingLibraryTests
{
    public MissingLibraryTests() => Skip.If(NativeLibraries.IsLoaded, "TorchSharp's native library loads here.");

    [SkippableTheory]
    [InlineData(null)]
    [InlineData(0)]
    public void PackageToAddIsNamed(int? gpu)
    {
        var error = Assert.Throws<DllNotFoundException>(() => new TorchEngine(gpu));
        Assert.Contains(NativeLibraries.Advice, error.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void WithoutANativeLibraryThereIsNoGpu() => Assert.Equal(0, TorchEngine.GpuCount);
}
