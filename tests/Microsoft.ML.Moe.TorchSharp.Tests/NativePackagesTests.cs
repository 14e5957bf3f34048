using System.Runtime.InteropServices;
using Microsoft.ML.Moe.Tensors.Torch;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>Which package a user is told to add, by system and by version of TorchSharp.</summary>
public sealed class NativePackagesTests
{
    [Theory]
    [InlineData("LINUX", Architecture.X64, "TorchSharp-cuda-linux", "TorchSharp-cpu")]
    [InlineData("WINDOWS", Architecture.X64, "TorchSharp-cuda-windows", "TorchSharp-cpu")]
    [InlineData("OSX", Architecture.Arm64, "TorchSharp-cpu", "none for CUDA")]
    public void PackagesHaveTorchSharpsVersion(string system, Architecture architecture, params string[] parts)
    {
        foreach (var version in new[] { "0.102.7", "0.107.0" })
        {
            var advice = Advice(system, architecture, version);
            foreach (var part in parts.Append($"version {version} like"))
                Assert.Contains(part, advice, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("LINUX", Architecture.Arm64, "0.107.0")]
    [InlineData("WINDOWS", Architecture.Arm64, "0.102.7")]
    [InlineData("OSX", Architecture.X64, "0.107.0")]
    public void NoPackageIsNamedWhereThereIsNone(string system, Architecture architecture, string version)
    {
        var advice = Advice(system, architecture, version);
        Assert.Contains("no native package", advice, StringComparison.Ordinal);
        Assert.DoesNotContain("Add", advice, StringComparison.Ordinal);
    }

    [Fact]
    public void MacsWithIntelsProcessorsHaveOneAsLongAsLibtorchHad() =>
        Assert.Contains("TorchSharp-cpu", Advice("OSX", Architecture.X64, "0.102.7"), StringComparison.Ordinal);

    [Fact]
    public void WindowsOnArmHasOneOfItsOwn()
    {
        var advice = Advice("WINDOWS", Architecture.Arm64, "0.107.0");
        Assert.Contains("libtorch-cpu-win-arm64", advice, StringComparison.Ordinal);
        Assert.DoesNotContain("TorchSharp-cpu", advice, StringComparison.Ordinal);
    }

    private static string Advice(string system, Architecture architecture, string version) =>
        NativePackages.Advice(OSPlatform.Create(system), architecture, Version.Parse(version + ".0"));
}
