using Microsoft.ML.Moe.Tensors;
using Microsoft.ML.Moe.Tensors.Torch;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>The engine where no native library of TorchSharp is to be found.</summary>
public sealed class StandInTests
{
    [SkippableFact]
    public void EngineIsTestedWithTheRealTorchSharp() => Skip.If(
        true, "TorchSharp's native library was not asked for; build with -p:TorchFeed=nuget, or local and TorchPath, to test the engine.");

    [Theory]
    [InlineData(null)]
    [InlineData(0)]
    public void PackageToAddIsNamed(int? gpu)
    {
        var error = Assert.Throws<DllNotFoundException>(() => new TorchEngine(gpu));
        Assert.Contains(NativeLibraries.Advice, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WithoutANativeLibraryThereIsNoGpu() => Assert.Equal(0, TorchEngine.GpuCount);
}
