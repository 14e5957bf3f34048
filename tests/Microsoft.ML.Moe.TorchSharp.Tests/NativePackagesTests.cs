using System.Runtime.InteropServices;
using Microsoft.ML.Moe.Tensors.Torch;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>Which package a user is told to add, by system.</summary>
public sealed class NativePackagesTests
{
    [Theory]
    [InlineData("LINUX", Architecture.X64, "TorchSharp-cuda-linux", "TorchSharp-cpu")]
    [InlineData("WINDOWS", Architecture.X64, "TorchSharp-cuda-windows", "TorchSharp-cpu")]
    [InlineData("OSX", Architecture.Arm64, "TorchSharp-cpu", "none for CUDA")]
    public void PackagesHaveTorchSharpsVersion(string system, Architecture architecture, params string[] parts)
    {
        var advice = Advice(system, architecture);
        foreach (var part in parts.Append($"version {NativeLibraries.Version.ToString(3)} like"))
            Assert.Contains(part, advice, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("LINUX", Architecture.Arm64)]
    [InlineData("OSX", Architecture.X64)]
    public void NoPackageIsNamedWhereThereIsNone(string system, Architecture architecture)
    {
        var advice = Advice(system, architecture);
        Assert.Contains("no native package", advice, StringComparison.Ordinal);
        Assert.DoesNotContain("Add", advice, StringComparison.Ordinal);
    }

    [Fact]
    public void WindowsOnArmHasOneOfItsOwn()
    {
        var advice = Advice("WINDOWS", Architecture.Arm64);
        Assert.Contains("libtorch-cpu-win-arm64", advice, StringComparison.Ordinal);
        Assert.DoesNotContain("TorchSharp-cpu", advice, StringComparison.Ordinal);
    }

    private static string Advice(string system, Architecture architecture) => NativePackages.Advice(OSPlatform.Create(system), architecture);
}
