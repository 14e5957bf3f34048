using Microsoft.ML.Moe.Tensors.Torch;

namespace Microsoft.ML.Moe.Tests.Tensors;

/// <summary>What a user reads when TorchSharp's native library does not load.</summary>
public sealed class NativeLibrariesTests
{
    [Fact]
    public void PackageToAddIsNamed() =>
        Assert.Contains(NativeLibraries.Advice, NativeLibraries.Failure(Path.GetTempPath()), StringComparison.Ordinal);

    [Fact]
    public void LoadersReasonIsGivenWhereThereIsALibrary()
    {
        var folder = Directory.CreateTempSubdirectory("moe-tests-");
        try
        {
            foreach (var name in new[] { "LibTorchSharp.dll", "libLibTorchSharp.dylib", "libLibTorchSharp.so" })
                File.WriteAllText(Path.Combine(folder.FullName, name), "no library");

            var failure = NativeLibraries.Failure($"{Path.GetTempPath()}{Path.PathSeparator}{folder.FullName}{Path.DirectorySeparatorChar}");

            Assert.Contains(NativeLibraries.Advice, failure, StringComparison.Ordinal);
            Assert.Contains("The system says: ", failure, StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
